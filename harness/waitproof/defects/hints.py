"""What to look at in an SDK's code when a defect is the likely cause: one line for each defect or family."""

from __future__ import annotations

from collections.abc import Mapping

from waitproof.defects.defect import Defect

__all__ = ["advice"]


def advice(defect: Defect) -> str:
    """Return where to look, as specific as it gets: for the defect, its relatives, or all of its check."""
    return _ADVICE[max(filter(defect.name.startswith, _ADVICE), key=len)]


_GROWTH = "the sleep between polls: is the interval multiplied or replaced after each poll?"
_ELAPSED = "how it is known how long the wait has lasted: from a clock, or as a sum of sleeps?"

# By how a defect's name begins; the longest beginning counts.
_ADVICE: Mapping[str, str] = {
    "polls_endpoint": "the request of a poll: is it the documented one, and the only one?",
    "polls_carry_credentials": "where credentials are added: for each request, or only once for a session?",
    "begin_returns_task_id": "the operation's return value: is it the task_id of the answer?",
    "begin_returns_task_id.missing": "the adapter's `operations`: does it name every one that the SDK has?",
    "one_request_per_call": "get_task: does it send one request and return whatever the server answered?",
    "polls_until_terminal": "the condition that ends the loop: does it compare the status, and nothing else?",
    "polls_until_terminal.ends-at": "the branch for other statuses: does it go on polling, at any of them?",
    "polls_until_terminal.waits-for": "the condition that ends the loop: does it ask for a result, too?",
    "polls_until_terminal.five": "the loop's bound: is it a number of attempts instead of a deadline?",
    "returns_result": "what is returned at the end: is it `result` of the last answer, unchanged?",
    "returns_result.none-after": "the loop's bound: is it a number of attempts instead of a deadline?",
    "returns_result.none-by": "the loop: does each poll call the next one, and the stack grow?",
    "returns_result.old-errors": "the order of the checks on an answer: is `error` checked before `status`?",
    "returns_result.guesses": "the helper: does it send a request before it returns?",
    "helper_is_shipped": "the public API: is there a wait helper, and does it do anything?",
    "raises_kind": "the branch for a failed task: does it raise the SDK's task exception for every failure?",
    "raises_kind.crashes": "how the error object is read: does it cope when any member is missing?",
    "raises_kind.no-error": "the branch for a failed task: does it depend on the error object?",
    "raises_kind.waits-for": "the condition that ends the loop: does it ask for an error, too?",
    "raises_kind.timeout-by-its-name": "how a timeout is recognized: by the error type, or by the clock?",
    "exception_field": "where the task exception is built: which member of the answer does the field get?",
    "native_stack_trace_is_apart": "the accessor for the server's stack trace: is it separate?",
    "raises_timeout.error-after": "the time limit of a request: is it what is left of the wait?",
    "exception_survives_copying": "the exceptions' constructors: do all arguments reach the base class?",
    "exception_has_a_message": "where the exception is built: is its message passed on to the base class?",
    "secrets_stay_out": "exceptions and loggers: is a request, a client or its settings printed as a whole?",
    "polls_carry_valid_token": "where the token is signed: again for each request, or before it expires?",
    "polls_carry_valid_token.a-fixed": (
        "what the adapter passes to the client: a token signed with the API secret, or the secret itself?"
    ),
    "process_ends": "timers and threads: is each stopped at every end of a wait, errors included?",
    "raises_timeout": "the branch taken after the deadline: which exception is raised, with which fields?",
    "only_polls_are_sent": "what follows the deadline: is anything sent, or kept for the next wait?",
    "interval_kept": "the sleep between polls: is it the interval, in the right unit, after every poll?",
    "interval_kept.first-hint": "the interval: is it replaced by what a header suggests, and never put back?",
    "interval_kept.doubled": "the default of the interval, in each place where it is written down",
    "interval_kept.default": "the default of the interval, in each place where it is written down",
    "interval_kept.jittered": "the sleep between polls: is anything random added to the interval?",
    "interval_kept.alternating": "the sleep between polls: is the interval replaced after every other poll?",
    "interval_kept.grows": _GROWTH,
    "interval_kept.backs-off": _GROWTH,
    "interval_kept.polls-twice": "the loop's body: is the status requested in two places?",
    "interval_kept.option": "the interval's way from the caller to the sleep: is it used as passed?",
    "interval_kept.option-missing": "the helper's signature: add a parameter for the interval",
    "gives_up_after_polls": "the loop's bound: is the number of polls looked at after each answer?",
    "gives_up_after_polls.default": "the default of the limit, in each place where it is written down",
    "gives_up_after_polls.returns": "the branch taken at the limit: does it raise?",
    "gives_up_after_polls.option": "the limit's way from the caller to the loop: is it used as passed?",
    "gives_up_after_polls.option-missing": "the helper's signature: add a parameter for the limit",
    "timeout_kept": "the default of the timeout, in each place where it is written down",
    "timeout_kept.option": "the deadline: is it computed once: start plus timeout, in the right unit?",
    "timeout_kept.option-adds-up-sleeps": _ELAPSED,
    "timeout_kept.option-forgets-answers": _ELAPSED,
    "timeout_kept.looked-at": "the test of the deadline: is it made after each poll, whatever that brought?",
    "timeout_kept.no-deadline": "the loop: does it check how much time has passed?",
    "timeout_kept.option-missing": "the helper's signature: add a parameter for the timeout",
    "timeout_outlasts_task": "how the timeout is converted: is all of it used, beyond 32 bits too?",
    "timeout_not_early": "the last sleep: is it cut short at the deadline, or left out?",
    "timeout_not_late": "the check of the deadline: is the last sleep cut short there?",
    "deadline_bounds_stalled_poll": "the time limit of a request: does it end at the deadline?",
    "one_poll_in_flight": "what triggers a poll: does it wait for the answer to the one before?",
    "outcome_not_late": "the loop's body: is the answer looked at before the sleep, or after it?",
    "no_poll_after_outcome": "what ends the loop or timer: does it stop before the caller gets the outcome?",
    "no_poll_after_outcome.once-more-for": "the completed task's result: is it in the answer that said so?",
    "waits_interleave": "the async helper: does it await its sleep and its request, or block?",
    "parameters_kept": "the async helper's signature: does it have both options, and pass them on?",
    "cancelled_soon": "the sleep and the request: do both get the caller's context, token or signal?",
    "cancelled_soon.swallowed": "the helper's exception handlers: does one catch the cancellation?",
    "cancelled_soon.polls-once-more": "what runs when the wait is cancelled: does it ask for the task again?",
    "cancelled_soon.returns-nothing": "what runs when the wait is cancelled: does it raise?",
    "usable_after_cancel": "what a cancelled wait leaves in its client: is it open, and no lock held?",
    "fault_not_hammered": "what follows a failed poll: is there a whole interval before the next one?",
    "fault_not_hammered.retry-after": "how Retry-After is read: as seconds, whatever the unit of the sleep?",
    "connections_bounded": "the HTTP client: is one made for each poll, and is it closed?",
    "ends_by_deadline": "the sleep after a 429: does it end at the deadline, whatever Retry-After says?",
    "fault_surfaces": "the handling of a failed poll: which errors are caught, and what is raised?",
    "fault_surfaces.http-status": "where an answer is read: is its HTTP status tested before its body?",
    "fault_surfaces.no-status": "where an answer is read: is one without a status refused?",
    "fault_surfaces.crashes-on": "how the error object is read: may it be something else than an object?",
    "fault_surfaces.an-odd-error": "the condition that ends the loop: does it depend on the error's shape?",
    "fault_surfaces.lists": "where an answer is read: is one that is not an object refused?",
    "outcome_expected": "how answers are decoded: is every value kept as the server sent it?",
    "fault_surfaces.a-redirect": "where an answer is read: is its HTTP status tested for 2xx, not below 400?",
    "fault_surfaces.follows": "the HTTP client: how many redirects does it follow?",
    "fault_surfaces.polls-over-304": "where an answer is read: was the version that 304 is about ever kept?",
    "outcome_expected.compressed": "the request's Accept-Encoding: is what it allows decompressed?",
    "outcome_expected.first-chunk": "how a body is read: to its end, or once?",
    "outcome_expected.chunks": "how a body is decoded: as a whole, after its last byte?",
    "outcome_expected.polls-from": "the HTTP client: does it keep answers to polls?",
    "outcome_expected.unknown-status": "the branch for other statuses: does it go on polling?",
    "outcome_expected.status": "the comparison of statuses: does it compare the whole word?",
    "outcome_expected.strict": "the models of answers: do they ignore members that they don't know?",
    "outcome_expected.latin-1": "how the body is decoded: as UTF-8, whatever the headers say?",
    "outcome_expected.blind": "the pool of connections: are closed ones noticed, and the request repeated?",
    "outcome_expected.repairs": "the pool of connections: are closed ones noticed each time?",
    "waits_are_independent": "the client's fields: does a wait keep anything there that belongs to one task?",
    "waits_are_independent.one-wait": "the client's locks and pool: can two waits run at once?",
}
