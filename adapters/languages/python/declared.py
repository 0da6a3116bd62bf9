"""What the adapter says about itself, as data: what an operator reads and grants, and what sandbox mode answers from."""

from json import dumps

from wit_world.imports.descriptor import (
    Body_Json,
    Effect,
    Operation,
    Parameter,
    Repeat_Idempotent,
    Repeat_WithKey,
    Route,
    Scheme_Bearer,
    Slot,
    Values_OneOf,
    Values_Shape,
)
from wit_world.imports.types import Method

ID = {"type": "integer", "format": "uint32", "description": "Its id.", "examples": [1]}
TITLE = {"type": "string", "description": "What is to be done.", "examples": ["Water the plants"]}
DONE = {"type": "boolean", "description": "Whether it is done.", "examples": [False]}

TASK = {
    "description": "One task.",
    "type": "object",
    "properties": {"id": {**ID, "minimum": 0}, "title": TITLE, "done": DONE},
    "required": ["id", "title", "done"],
}
NAMED_TASK = dumps({"title": "Task", **TASK})

TASK_PAGE = dumps(
    {
        "title": "TaskPage",
        "description": "One page of a list, as the server gives it.",
        "type": "object",
        "properties": {
            "nextPage": {
                "type": ["integer", "null"],
                "format": "uint32",
                "minimum": 0,
                "description": "The next page's number, if there is one.",
                "examples": [None],
            },
            "tasks": {"description": "Those on the page.", "type": "array", "items": TASK},
        },
        "required": ["tasks"],
    }
)

NEW_TASK = dumps(
    {
        "title": "NewTask",
        "description": "A task to add.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "title": {**TITLE, "minLength": 1, "maxLength": 200},
            "notes": {"type": ["string", "null"], "maxLength": 2000, "description": "More about it."},
        },
        "required": ["title"],
    }
)

CONFIG = dumps(
    {
        "title": "Config",
        "description": "Where the server is.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "baseUrl": {
                "type": "string",
                "format": "uri",
                "minLength": 8,
                "maxLength": 2048,
                "description": "What the paths are relative to: scheme, host, maybe port and path.",
            }
        },
        "required": ["baseUrl"],
    }
)

SLOTS = [Slot("token", "An API token of the tasks server.", Scheme_Bearer(), None)]


def routes(base):
    return [
        Route(
            id="get-task",
            description="Reads one task.",
            method=Method.GET,
            url=f"{base}/tasks/{{id:digits(1..10)}}",
            query=[],
            headers=[],
            slots=["token"],
            links=[],
            request=None,
            repeat=Repeat_Idempotent(),
            response=NAMED_TASK,
        ),
        Route(
            id="list-tasks",
            description="Reads one page of tasks.",
            method=Method.GET,
            url=f"{base}/tasks",
            query=[
                Parameter("done", Values_OneOf(["false", "true"])),
                Parameter("page", Values_Shape("digits(1..20)")),
            ],
            headers=[],
            slots=["token"],
            links=[],
            request=None,
            repeat=Repeat_Idempotent(),
            response=TASK_PAGE,
        ),
        Route(
            id="add-task",
            description="Adds one task.",
            method=Method.POST,
            url=f"{base}/tasks",
            query=[],
            headers=[],
            slots=["token"],
            links=[],
            request=Body_Json(NEW_TASK),
            repeat=Repeat_WithKey("Idempotency-Key"),
            response=NAMED_TASK,
        ),
    ]


OPERATIONS = [
    Operation(
        name="getTask",
        description="Reads one task.",
        effect=Effect.READ,
        input=dumps(
            {
                "title": "TaskId",
                "description": "Which task.",
                "type": "object",
                "additionalProperties": False,
                "properties": {"id": {**ID, "minimum": 1}},
                "required": ["id"],
            }
        ),
        output=NAMED_TASK,
        routes=["get-task"],
    ),
    Operation(
        name="listTasks",
        description="Lists tasks, page by page, up to as many as are asked for and at most ten pages.",
        effect=Effect.READ,
        input=dumps(
            {
                "title": "ListTasks",
                "description": "Which tasks.",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "done": {
                        "type": ["boolean", "null"],
                        "description": "Those that are done (true) or are not (false). By default all.",
                    },
                    "most": {
                        "type": "integer",
                        "format": "uint16",
                        "minimum": 1,
                        "maximum": 500,
                        "description": "How many at most.",
                        "examples": [50],
                    },
                },
                "required": ["most"],
            }
        ),
        output=dumps(
            {
                "title": "Tasks",
                "description": "Tasks that were found.",
                "type": "object",
                "properties": {
                    "more": {"description": "Whether there are more.", "type": "boolean"},
                    "tasks": {"description": "Those that were asked for.", "type": "array", "items": TASK},
                },
                "required": ["more", "tasks"],
            }
        ),
        routes=["list-tasks"],
    ),
    Operation(
        name="addTask",
        description="Adds one task, once for each idempotency key.",
        effect=Effect.WRITE,
        input=NEW_TASK,
        output=NAMED_TASK,
        routes=["add-task"],
    ),
]
