"""The mock task server that a client's developer leaves running all day.

`server` puts it together. `manager` has the tasks (`task`), `steer` changes them by hand, `waits` judges who
waits on them (`verdicts`), `watch` is the thread that looks after all of this. `control` is the HTTP API over
them (`operations`, `request`, `models`, `events`, `openapi`), `page/` what a browser shows, `client/` a
module for tests in JavaScript, and `command` is `waitproof serve` (`terminal`). `record` passes requests
on to a real API instead and writes scenarios (`recording`). Other rooms import `command` and `server`.
"""
