import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { type Interrupt, machineOf, makeInterrupt } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { flushJournal } from "./fs.ts";

const FREEZE = "+ fsfreeze -f /boot";
const THAW = "+ fsfreeze -u /boot";

test("a journal is flushed by freezing the file system for a moment", async () => {
  const { ctx, requireAllUsed } = scriptedContext("/nowhere", [[FREEZE], [THAW]]);
  await flushJournal(ctx, "/boot");
  requireAllUsed();
});

test("what does not freeze is not thawed", async () => {
  const refusal = new BootcError("fsfreeze: /boot: freeze failed: Operation not supported");
  const { ctx } = scriptedContext("/nowhere", [[FREEZE, refusal]]);
  await expect(flushJournal(ctx, "/boot")).rejects.toBe(refusal);
});

test.each<[string, (interrupt: Interrupt) => ScriptLine]>([
  ["before fsfreeze has ended", ({ now }) => [FREEZE, now]],
  [
    "after that",
    ({ now }) => [
      FREEZE,
      () => {
        try {
          now();
        } catch {
          // fsfreeze has not noticed.
        }
      },
    ],
  ],
])("an interruption %s leaves nothing frozen", async (_when, freeze) => {
  const machine = await machineOf("2025.2");
  const thawed = `${machine.root}/thawed`;
  const interrupt = await makeInterrupt(machine, { fsfreeze: `echo "$@" > ${thawed}` });
  const { ctx } = scriptedContext(machine.root, [freeze(interrupt)]);
  await flushJournal(interrupt.of(ctx), "/boot").catch(() => undefined);
  expect(await readFile(thawed, "utf8")).toBe("-u /boot\n");
});
