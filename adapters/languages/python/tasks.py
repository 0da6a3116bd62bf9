"""Tasks: the example that is written in three languages, here in Python. It is no product.

Its twins in Rust and JavaScript declare the same and send the same bytes; `cargo xtask languages` holds them to that.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.operations import Error_UnknownOperation
from wit_world.imports.descriptor import Descriptor

import declared
from portcullis import array, boolean, dump, exchange, failed, optional, record, text, unsigned

# Most pages of one call.
MAX_PAGES = 10

TASK = record(id=unsigned, title=text, done=boolean)
TASK_PAGE = record(tasks=array(TASK), nextPage=optional(unsigned))


def get_task(cx, id):
    return cx.get(f"/tasks/{id}", TASK)


def list_tasks(cx, most, done=None):
    chosen = "" if done is None else f"done={dump(done)}&"
    tasks, following = [], 1
    for _ in range(MAX_PAGES):
        if following is None or len(tasks) >= most:
            break
        page, answer = following, cx.get(f"/tasks?{chosen}page={following}", TASK_PAGE)
        following = answer["nextPage"]
        if following is not None and following <= page:
            raise failed("tasks.paging", f"the server says that the page after {page} is one before it")
        tasks += answer["tasks"]
    return {"more": len(tasks) > most or following is not None, "tasks": tasks[:most]}


def add_task(cx, title, notes=None):
    body = {"title": title} if notes is None else {"title": title, "notes": notes}
    return cx.post("/tasks", body, TASK)


RUN = {"getTask": get_task, "listTasks": list_tasks, "addTask": add_task}


def refused(answer):
    """What an answer that is no success means. Nothing of its body: it may repeat what was sent."""
    match answer.status:
        case 404:
            known = ("tasks.not-found", "there is no such task", False)
        case 429:
            known = ("tasks.rate-limited", "the server wants fewer requests", True)
        case status if status >= 500:
            known = ("tasks.unavailable", "the server cannot answer now", True)
        case _:
            known = ("tasks.refused", "the server refused the request", False)
    return failed(*known, answer.retry_after_ms, {"status": answer.status})


class Context:
    def __init__(self, call):
        self.base = base_of(call.config)
        # Without a key of the caller's the call's id makes the request one that can be told from others.
        self.key = call.id if call.idempotency_key is None else call.idempotency_key

    def get(self, path, shape):
        return self.send(shape, "GET", path)

    def post(self, path, body, shape):
        return self.send(shape, "POST", path, key=("Idempotency-Key", self.key), body=body)

    def send(self, shape, method, path, **more):
        answer = exchange(method, self.base + path, slots=["token"], repeat=True, **more)
        if not answer.success:
            raise refused(answer)
        return answer.read(shape)


def base_of(config):
    return json.loads(config)["baseUrl"].rstrip("/")


class Operations(exports.Operations):
    def config_schema(self):
        return declared.CONFIG

    def describe(self, config):
        return Descriptor(
            name="tasks",
            version="0.1.0",
            description="Reads, lists and adds tasks of a small REST server: an example, written in three languages.",
            slots=declared.SLOTS,
            routes=declared.routes(base_of(config)),
            operations=declared.OPERATIONS,
        )

    def invoke(self, call):
        operation = RUN.get(call.operation)
        if operation is None:
            raise Err(Error_UnknownOperation(call.operation))
        return dump(operation(Context(call), **json.loads(call.input)))
