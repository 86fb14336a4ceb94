import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { machineOf, play } from "../testing/play-verb.ts";
import type { ScriptLine } from "../testing/scripted-context.ts";
import { usrOverlay } from "./usr-overlay.ts";

test("usr-overlay leaves mounting to ostree", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [["+ ostree admin unlock --transient"]];
  expect(await play(it, [], (ctx) => usrOverlay(ctx, { readOnly: true }))).toBe(
    "\n\nerror: an overlay is already mounted on /usr\n",
  );
  await rm(join(it.root, "run/ostree/deployment-state"), { recursive: true });
  expect(await play(it, script, (ctx) => usrOverlay(ctx, { readOnly: true }))).toBe(
    "\n+ ostree admin unlock --transient\n",
  );
});
