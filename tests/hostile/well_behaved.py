"""An adapter without a fault: it answers each call with what that call is there for."""

from hostile_kit import answer, greet, read

greet()
while True:
    call = read()
    match call["op"]:
        case "wait":
            answer(call, result=call["options"], elapsed=0.25)
        case "get_task":
            answer(call, task={"task_id": call["task_id"]})
        case "begin":
            answer(call, task_id=len(call["arguments"]["text"]))
        case "ping":
            answer(call)
