"""The mock task server that an SDK's developer leaves running all day.

`tasks` makes tasks of scenarios when they are asked for, and judges who waits on them; `control` is the
HTTP API over them, `page` what a browser shows; `command` is `waitproof serve`.
"""
