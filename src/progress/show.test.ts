import { expect, test } from "vitest";
import { makePipe } from "../testing/pipe.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { showProgress } from "./show.ts";

test("a terminal that cannot redraw gets the lines of a log, and no bar", () => {
  const { ctx, transcript } = scriptedContext("/", [], { env: { TERM: "dumb" } });
  const terminal = { ...ctx.terminal, isStderrTerminal: true };
  const display = showProgress({ ...ctx, terminal }, { isQuiet: false });
  display.onEvent({ type: "stage", stage: "merging" });
  display.end();
  expect(transcript()).toBe("\n! merging the layers\n");
});

test.each([true, false])(
  "a full pipe loses a program nothing but what later lines repeat, non-blocking: %s",
  async (isNonblocking) => {
    const { writer, fill, drain } = makePipe({ isNonblocking });
    fill();
    const { ctx, transcript } = scriptedContext("/", []);
    const display = showProgress(ctx, { isQuiet: true, jsonDescriptor: writer });
    const layers = Array.from({ length: 200 }, (_, i) => ({
      digest: `sha256:${String(i).padStart(64, "0")}`,
      kind: "derived" as const,
      sizeBytes: 1,
      isPresent: false,
    }));
    display.onEvent({ type: "planned", image: "x", manifestDigest: "sha256:f", layers });
    for (const { digest } of layers) display.onEvent({ type: "layer", digest, state: "imported" });
    display.onEvent({ type: "stage", stage: "merging" });
    display.onEvent({ type: "stage", stage: "committed" });
    drain();
    // Data that exceeds the pipe's buffer needs a reader during the wait.
    const finished = display.finish();
    let text = drain();
    while (!text.endsWith('"task":"staging","type":"ProgressSteps"}\n')) {
      await new Promise((resolve) => setImmediate(resolve));
      text += drain();
    }
    await finished;
    const documents = text
      .trimEnd()
      .split("\n")
      .map((it) => JSON.parse(it));
    expect(documents.map((it) => [it.type, it.steps])).toEqual([
      ["Start", undefined],
      ["ProgressBytes", 200],
      ["ProgressSteps", 0],
      ["ProgressSteps", 1],
      ["ProgressSteps", 0],
    ]);
    expect(transcript()).toBe("\n\n");
  },
);
