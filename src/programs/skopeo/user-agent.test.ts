import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { readUserAgent, takesUserAgent } from "./user-agent.ts";

test.each([
  { text: "skopeo version 1.9.3\n", want: false },
  { text: "skopeo version 1.20.0-dev\n", want: false },
  { text: "skopeo version 1.21.0\n", want: true },
  { text: "skopeo version 1.22.0 commit: 0123456789\n", want: true },
  { text: "skopeo version 2.0\n", want: true },
  { text: "what?\n", want: false },
])("$text", ({ text, want }) => {
  expect(takesUserAgent(text)).toBe(want);
});

test("skopeo is asked once", async () => {
  const { ctx, requireAllUsed } = scriptedContext("/", [
    ["? skopeo --version", "skopeo version 1.21.0\n"],
  ]);
  expect(await readUserAgent(ctx)).toMatch(/^bootc\/\d/);
  expect(await readUserAgent(ctx)).toMatch(/^bootc\/\d/);
  requireAllUsed();
});
