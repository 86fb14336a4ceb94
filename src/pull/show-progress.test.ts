import { expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { showProgress } from "./show-progress.ts";

test("a terminal that cannot redraw gets the lines of a log, and no bar", () => {
  const { ctx, transcript } = scriptedContext("/", [], { env: { TERM: "dumb" } });
  const terminal = { ...ctx.terminal, isStderrTerminal: true };
  const display = showProgress({ ...ctx, terminal }, { isQuiet: false });
  display.onEvent({ type: "stage", stage: "merging" });
  display.end();
  expect(transcript()).toBe("\n! merging the layers\n");
});
