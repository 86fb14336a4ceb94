import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { BootcError, explainError } from "../../errors.ts";
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

test("what stays frozen is an error that says how to thaw it", async () => {
  const { ctx } = scriptedContext("/nowhere", [[FREEZE], [THAW, new BootcError("i/o error")]]);
  const error = await flushJournal(ctx, "/boot").catch(explainError);
  expect(error).toBe("`/boot` is still frozen, and `fsfreeze -u /boot` thaws it: i/o error");
});

const INTERRUPTED: [string, (interrupt: Interrupt) => readonly ScriptLine[]][] = [
  ["before fsfreeze has ended", ({ now }) => [[FREEZE, now]]],
  [
    "after that",
    ({ now }) => [
      [
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
  ],
  ["while it thaws", ({ now }) => [[FREEZE], [THAW, now]]],
];

/** Interrupts it at some time; `program` is the fsfreeze that is started from then on. */
async function flushInterrupted(script: (typeof INTERRUPTED)[0][1], program: string) {
  const machine = await machineOf("2025.2");
  const interrupt = await makeInterrupt(machine, {
    fsfreeze: `echo "$@" > ${machine.root}/thawed\n${program}`,
  });
  const { ctx } = scriptedContext(machine.root, script(interrupt));
  const error = await flushJournal(interrupt.of(ctx), "/boot").catch(explainError);
  return { error, thawed: await readFile(`${machine.root}/thawed`, "utf8") };
}

test.each(INTERRUPTED)("an interruption %s leaves nothing frozen", async (_when, script) => {
  const { error = "interrupted", thawed } = await flushInterrupted(script, "");
  expect([error, thawed]).toEqual(["interrupted", "-u /boot\n"]);
});

test.each(INTERRUPTED)("an interruption %s may find nothing to thaw", async (_when, script) => {
  const refusal = "echo 'fsfreeze: /boot: unfreeze failed: Invalid argument' >&2; exit 1";
  const { error = "interrupted" } = await flushInterrupted(script, refusal);
  expect(error).toBe("interrupted");
});

test.each(INTERRUPTED)(
  "an interruption %s hides nothing that stays frozen",
  async (_when, script) => {
    const { error } = await flushInterrupted(script, "exit 1");
    expect(error).toContain("`/boot` is still frozen, and `fsfreeze -u /boot` thaws it: ");
  },
);
