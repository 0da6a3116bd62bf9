//! Tasks: the example that is written in three languages, here in Rust with the SDK.
//!
//! It is no product. It does what most adapters do (read one, walk through pages, add one, say what went wrong), so that its
//! twins beside it show what that takes in JavaScript and Python. All three declare the same and send the same bytes.

use portcullis_sdk::prelude::*;

/// Most pages of one call.
const MAX_PAGES: u32 = 10;

const TOKEN: Slot = Slot::bearer("token").describe("An API token of the tasks server.");

const GET_TASK: Route<TaskId, Task> =
    Route::get("get-task", "/tasks/{id:digits(1..10)}").slot(&TOKEN).describe("Reads one task.");
const LIST_TASKS: Route<Page, TaskPage> =
    Route::get("list-tasks", "/tasks").slot(&TOKEN).describe("Reads one page of tasks.");
const ADD_TASK: Route<NewTask, Task> =
    Route::post("add-task", "/tasks").slot(&TOKEN).idempotency_key("Idempotency-Key").describe("Adds one task.");

portcullis_sdk::register!(
    config: Config,
    base: |config| &config.base_url,
    error: failure,
    operations: [get_task, list_tasks, add_task],
);

/// Reads one task.
#[operation(read, uses(GET_TASK))]
fn get_task(cx: &Context<Config>, input: TaskId) -> Result<Task, Failure> {
    cx.send(&GET_TASK, &input)
}

/// Lists tasks, page by page, up to as many as are asked for and at most ten pages.
#[operation(read, uses(LIST_TASKS))]
fn list_tasks(cx: &Context<Config>, input: ListTasks) -> Result<Tasks, Failure> {
    let most = usize::from(input.most);
    let mut tasks = Vec::new();
    let mut next = Some(1);
    for _ in 0..MAX_PAGES {
        let Some(page) = next.filter(|_| tasks.len() < most) else { break };
        let answer = cx.send(&LIST_TASKS, &Page { done: input.done, page })?;
        if answer.next_page.is_some_and(|next| next <= page) {
            let message = format!("the server says that the page after {page} is one before it");
            return Err(Failure::new("tasks.paging", message));
        }
        tasks.extend(answer.tasks);
        next = answer.next_page;
    }
    let more = tasks.len() > most || next.is_some();
    tasks.truncate(most);
    Ok(Tasks { more, tasks })
}

/// Adds one task, once for each idempotency key.
#[operation(write, uses(ADD_TASK))]
fn add_task(cx: &Context<Config>, input: NewTask) -> Result<Task, Failure> {
    cx.send(&ADD_TASK, &input)
}

/// What an answer that is no success means.
fn failure(response: &Response) -> Failure {
    let status = response.status;
    let (code, message, retryable) = match status {
        404 => ("tasks.not-found", "there is no such task", false),
        429 => ("tasks.rate-limited", "the server wants fewer requests", true),
        500..=599 => ("tasks.unavailable", "the server cannot answer now", true),
        _ => ("tasks.refused", "the server refused the request", false),
    };
    // Nothing of the body: it may repeat what was sent.
    Failure::new(code, message).retryable(retryable).details(json!({ "status": status }))
}

/// Where the server is.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// What the paths are relative to: scheme, host, maybe port and path.
    #[schema(url, length(min = 8, max = 2048))]
    base_url: String,
}

/// Which task.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
struct TaskId {
    /// Its id.
    #[schema(range(min = 1), example = 1)]
    id: u32,
}

/// Which tasks.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
struct ListTasks {
    /// How many at most.
    #[schema(range(min = 1, max = 500), example = 50)]
    most: u16,
    /// Those that are done (true) or are not (false). By default all.
    done: Option<bool>,
}

/// A task to add.
#[model]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
struct NewTask {
    /// What is to be done.
    #[schema(length(min = 1, max = 200), example = "Water the plants")]
    title: String,
    /// More about it.
    #[schema(length(max = 2000))]
    notes: Option<String>,
}

/// One page of a list.
#[model]
#[derive(Debug)]
struct Page {
    /// Those that are done (true) or are not (false).
    done: Option<bool>,
    /// Its number, from 1.
    page: u32,
}

/// One page of a list, as the server gives it.
#[model]
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
struct TaskPage {
    /// Those on the page.
    tasks: Vec<Task>,
    /// The next page's number, if there is one.
    #[schema(example = null)]
    next_page: Option<u32>,
}

/// Tasks that were found.
#[model]
#[derive(Debug)]
struct Tasks {
    /// Whether there are more.
    more: bool,
    /// Those that were asked for.
    tasks: Vec<Task>,
}

/// One task.
#[model]
#[derive(Debug)]
struct Task {
    /// Its id.
    #[schema(example = 1)]
    id: u32,
    /// What is to be done.
    #[schema(example = "Water the plants")]
    title: String,
    /// Whether it is done.
    #[schema(example = false)]
    done: bool,
}
