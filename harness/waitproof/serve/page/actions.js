/* What can be done to a task: what its button says when one points at it, and the notice afterwards. */

export const ACTIONS = {
  advance: { hint: "Answer with the next step from now on", done: "moved to the next step" },
  complete: { hint: "Complete it, with the result below if there is one", done: "completed" },
  fail: { hint: "Fail it, with the error below if there is one", done: "failed" },
  stall: { hint: "Accept polls without answering them", done: "stalled: its polls get no answer" },
  reset: { hint: "Start again at the first step, with an empty journal", done: "reset" },
};
