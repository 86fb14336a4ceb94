import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BootcError, describeError, exitStatusOf } from "../errors.ts";
import {
  expectRefused,
  LOCK,
  machineOf,
  makeInterrupt,
  play,
  playToHint,
} from "../testing/play-verb.ts";
import type { ScriptLine } from "../testing/scripted-context.ts";
import { type RollbackOptions, rollback } from "./rollback.ts";

const OSTREE_2025 = "libostree:\n Version: '2025.2'\n";

/** What each rollback on this machine begins with. */
const STARTED: readonly ScriptLine[] = [LOCK, ["? ostree --version", OSTREE_2025]];
const READ_ONLY = "30 1 8:1 / /sysroot ro,relatime - ext4 /dev/sda1 rw\n";

test("rollback checks whether ostree did what it was told", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [
    ...STARTED,
    ["+ ostree admin set-default 2"], // and does nothing
  ];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    + ostree admin set-default 2
    error: ostree did not put \`b34a53cf167d4126c076b74e421ea67396041c4fc5364e539a15a3fb2f1ce627.0\` first
    "
  `);
});

test("rollback succeeds when ostree fails after it has changed the order", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [
    ...STARTED,
    [
      "+ ostree admin set-default 2",
      async () => {
        await putRollbackFirst(it.root);
        throw new BootcError("fsync objdirs: Input/output error");
      },
    ],
    ["+ ostree admin cleanup", new BootcError("it fails again")],
  ];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    + ostree admin set-default 2
    + ostree admin cleanup
    ! note: ostree could not clean up: it fails again
    > Next boot: rollback deployment
    "
  `);
});

test("rollback succeeds when nobody can be told", async () => {
  const it = await machineOf("2025.2");
  // Directories cannot be replaced by files, nor the other way round.
  await mkdir(join(it.root, "run/reboot-required"));
  await writeFile(join(it.root, "sysroot/ostree/bootc"), "");
  const script: readonly ScriptLine[] = [
    ...STARTED,
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain("> Next boot: rollback deployment\n");
  expect(said).toContain("! warning: `/run/reboot-required` does not ask for a reboot: EISDIR: ");
  expect(said).toMatch(/! warning: units .* do not see this one: EEXIST: /);
  expect(said).not.toContain("error: ");
});

test("a soft reboot that stays prepared is an error, which says that the order has changed", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/ostree/nextroot-booted"), "");
  const reset = "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset";
  const script: readonly ScriptLine[] = [
    ...STARTED,
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
    [reset, new BootcError("Input/output error")],
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain("error: the next boot has changed, but a soft reboot is still prepared\n");
  // Others see the change nevertheless.
  expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("sha256:");
  expect(await readdir(join(it.root, "sysroot/ostree"))).toContain("bootc");
});

test.each([
  ["a rollback", 2, "a second rollback would undo the first"],
  ["its revert", 1, "a second run would queue the rollback again"],
] as const)("the hint says what running %s again would do", async (_about, index, again) => {
  const it = await machineOf("2025.2");
  if (index === 1) await putRollbackFirst(it.root);
  await writeFile(join(it.root, "run/ostree/nextroot-booted"), "");
  const change = () => (index === 1 ? putBootedFirst(it.root) : putRollbackFirst(it.root));
  const script: readonly ScriptLine[] = [
    ...STARTED,
    [`+ ostree admin set-default ${index}`, change],
    [
      "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot --reset",
      new BootcError("Input/output error", { hint: "see `dmesg`" }),
    ],
  ];
  expect(await playToHint(it, script, (ctx) => rollback(ctx, {}))).toBe(
    `\`ostree admin prepare-soft-reboot --reset\` cancels it; ${again}`,
  );
});

test("a rollback that fails when ostree has dropped what was staged withdraws the reboot for that", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const script: readonly ScriptLine[] = [
    ...STARTED,
    [
      "+ ostree admin set-default 2",
      async () => {
        await rm(join(it.root, "run/ostree/staged-deployment"));
        throw new BootcError("No space left on device", { kind: "space" });
      },
    ],
  ];
  const said = await play(it, script, (ctx) =>
    rollback(ctx, {}).catch((error: unknown) => {
      expect(exitStatusOf(error)).toBe(8);
      throw error;
    }),
  );
  expect(said).toMatch(/error: ostree did not put `.*` first\n$/);
  expect(said).not.toContain("Next boot");
  expect(await readdir(join(it.root, "run"))).not.toContain("reboot-required");
});

test("a rollback that nobody can check afterwards has not failed", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [
    ...STARTED,
    [
      "+ ostree admin set-default 2",
      () => writeFile(join(it.root, "run/ostree/staged-deployment"), "damaged"),
    ],
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain("! warning: the next boot has changed, which cannot be checked: ");
  expect(said).toContain("> Next boot: rollback deployment\n");
  expect(said).not.toContain("error: ");
  expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("sha256:");
});

describe("an interruption after the order has changed does not ask for another run", () => {
  const interrupted = async (options: RollbackOptions) => {
    const it = await machineOf("2025.2");
    const interrupt = await makeInterrupt(it);
    const script: readonly ScriptLine[] = [
      ...STARTED,
      [
        "+ ostree admin set-default 2",
        async () => {
          await putRollbackFirst(it.root);
          interrupt.now();
        },
      ],
    ];
    let failure: unknown;
    const said = await play(it, script, (ctx) =>
      rollback(interrupt.of(ctx), options).catch((error: unknown) => {
        failure = error;
      }),
    );
    expect(said).toContain("> Next boot: rollback deployment\n");
    expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("sha256:");
    return failure;
  };

  test("when nothing else was to be done", async () => {
    expect(await interrupted({})).toBeUndefined();
  });

  test.each<[string, RollbackOptions]>([
    ["a reboot", { apply: true }],
    ["a soft reboot", { softReboot: "auto", apply: true }],
  ])("but says how to get there when %s was to follow", async (_what, options) => {
    expect(describeError(await interrupted(options))).toEqual({
      kind: "failed",
      message: "the next boot has changed, but what follows has failed",
      causes: ["interrupted"],
      hint: "`systemctl reboot` starts what boots next; a second rollback would undo the first",
    });
  });
});

test("nor does a reboot that fails", async () => {
  const it = await machineOf("2025.2");
  const reboot = "+ systemd-run --quiet -- systemctl reboot '--message=Initiated by bootc'";
  const script: readonly ScriptLine[] = [
    ...STARTED,
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
    [reboot, new BootcError("`systemd-run`: not found", { hint: "install `systemd-run`" })],
  ];
  expect(await playToHint(it, script, (ctx) => rollback(ctx, { apply: true }))).toBe(
    "`systemctl reboot` starts what boots next; a second rollback would undo the first",
  );
});

/** As ostree does: what was staged is dropped, and the older entry becomes the newest. */
async function putRollbackFirst(root: string): Promise<void> {
  await rm(join(root, "run/ostree/staged-deployment"));
  await renumber(root, { from: 1, to: 3 });
}

async function putBootedFirst(root: string): Promise<void> {
  await renumber(root, { from: 3, to: 1 });
}

/** Gives an entry another version: the highest boots next. */
async function renumber(
  root: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const dir = join(root, "boot/loader/entries");
  for (const name of await readdir(dir)) {
    const text = await readFile(join(dir, name), "utf8");
    await writeFile(join(dir, name), text.replace(`\nversion ${from}\n`, `\nversion ${to}\n`));
  }
}

test("rollback needs a newer ostree than 2022.7", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [LOCK, ["? ostree --version", " Version: '2022.7'\n"]];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    error: rollback needs ostree 2023.6, this host has 2022.7
    "
  `);
});

test("a read-only medium is distinguished from a read-only mount", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "proc/self/mountinfo"), READ_ONLY);
  await mkdir(join(it.root, "sys/dev/block/8:1"), { recursive: true });
  await writeFile(join(it.root, "sys/dev/block/8:1/ro"), "1\n");
  expect(await play(it, [], (ctx) => rollback(ctx, {}))).toContain(
    "error: Cannot perform this operation: /sysroot is on a read-only block device",
  );
});

test("rollback starts nothing where it may not run", async () => {
  await expectRefused((ctx) => rollback(ctx, {}));
});
