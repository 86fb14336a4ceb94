import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BootcError, describeError, exitStatusOf } from "../errors.ts";
import type { Machine } from "../testing/machine-fixture.ts";
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

const STAGED = "83c7aa2e56ada314e20a69bc4653fb90f79934a46382a3eb771c6965b854e8c6.0";
const ROLLBACK = "b34a53cf167d4126c076b74e421ea67396041c4fc5364e539a15a3fb2f1ce627.0";

/** What ostree lists. */
function list(...names: readonly string[]): ScriptLine {
  return ["? ostree admin status", names.map((it) => `  default ${it}\n`).join("")];
}

/** What each rollback on a machine begins with. */
function start({ booted }: Machine): readonly ScriptLine[] {
  return [LOCK, ["? ostree --version", OSTREE_2025], list(STAGED, booted, ROLLBACK)];
}

/** What ostree lists once it has put the rollback first. */
function changed({ booted }: Machine): ScriptLine {
  return list(ROLLBACK, booted);
}

const READ_ONLY = "30 1 8:1 / /sysroot ro,relatime - ext4 /dev/sda1 rw\n";

test("rollback checks whether ostree did what it was told", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [
    ...start(it),
    ["+ ostree admin set-default 2"], // and does nothing
    list(STAGED, it.booted, ROLLBACK),
  ];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    ? ostree admin status
    + ostree admin set-default 2
    ? ostree admin status
    error: ostree did not put \`b34a53cf167d4126c076b74e421ea67396041c4fc5364e539a15a3fb2f1ce627.0\` first
    "
  `);
});

test("rollback succeeds when ostree fails after it has changed the order", async () => {
  const it = await machineOf("2025.2");
  const script: readonly ScriptLine[] = [
    ...start(it),
    [
      "+ ostree admin set-default 2",
      async () => {
        await putRollbackFirst(it.root);
        throw new BootcError("fsync objdirs: Input/output error");
      },
    ],
    changed(it),
    ["+ ostree admin cleanup", new BootcError("it fails again")],
  ];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    ? ostree admin status
    + ostree admin set-default 2
    ? ostree admin status
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
    ...start(it),
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
    changed(it),
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
    ...start(it),
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
    changed(it),
    [reset, new BootcError("Input/output error")],
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain("error: the next boot has changed, but a soft reboot is still prepared\n");
  // Others see the change nevertheless.
  expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("sha256:");
  expect(await readdir(join(it.root, "sysroot/ostree"))).toContain("bootc");
});

test.each([
  ["a rollback", "a second rollback would undo the first"],
  ["its revert", "a second run would queue the rollback again"],
] as const)("the hint says what running %s again would do", async (what, again) => {
  const it = await machineOf("2025.2");
  const { root, booted } = it;
  await writeFile(join(root, "run/ostree/nextroot-booted"), "");
  const version: ScriptLine = ["? ostree --version", OSTREE_2025];
  const reverting = async (): Promise<readonly ScriptLine[]> => {
    await putRollbackFirst(root);
    const change: ScriptLine = ["+ ostree admin set-default 1", () => putBootedFirst(root)];
    return [LOCK, version, list(ROLLBACK, booted), change, list(booted, ROLLBACK)];
  };
  const script: readonly ScriptLine[] = [
    ...(what === "its revert"
      ? await reverting()
      : [
          ...start(it),
          ["+ ostree admin set-default 2", () => putRollbackFirst(root)] as const,
          changed(it),
        ]),
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
    ...start(it),
    [
      "+ ostree admin set-default 2",
      async () => {
        await rm(join(it.root, "run/ostree/staged-deployment"));
        throw new BootcError("No space left on device", { kind: "space" });
      },
    ],
    list(it.booted, ROLLBACK),
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
    ...start(it),
    ["+ ostree admin set-default 2"],
    ["? ostree admin status", new BootcError("Input/output error")],
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain(
    "! warning: the next boot has changed, which cannot be checked: Input/output error",
  );
  expect(said).toContain("> Next boot: rollback deployment\n");
  expect(said).not.toContain("error: ");
  expect(await readFile(join(it.root, "run/reboot-required"), "utf8")).toContain("sha256:");
});

describe("an interruption after the order has changed does not ask for another run", () => {
  const interrupted = async (options: RollbackOptions) => {
    const it = await machineOf("2025.2");
    const order = `  default ${ROLLBACK}\n  default ${it.booted}`;
    const interrupt = await makeInterrupt(it, { ostree: `echo '${order}'` });
    const script: readonly ScriptLine[] = [
      ...start(it),
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
    ...start(it),
    ["+ ostree admin set-default 2", () => putRollbackFirst(it.root)],
    changed(it),
    [reboot, new BootcError("`systemd-run`: not found", { hint: "install `systemd-run`" })],
  ];
  expect(await playToHint(it, script, (ctx) => rollback(ctx, { apply: true }))).toBe(
    "`systemctl reboot` starts what boots next; a second rollback would undo the first",
  );
});

test("ostree counts what we cannot read", async () => {
  const it = await machineOf("2025.2");
  const odd = `${"0".repeat(64)}.0`;
  const script: readonly ScriptLine[] = [
    LOCK,
    ["? ostree --version", OSTREE_2025],
    list(STAGED, it.booted, odd, ROLLBACK),
    ["+ ostree admin set-default 3", () => putRollbackFirst(it.root)],
    list(ROLLBACK, it.booted, odd),
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toContain("> Next boot: rollback deployment\n");
  expect(said).not.toContain("error: ");
});

test("a staged deployment that we cannot read is lost nevertheless", async () => {
  const it = await machineOf("2025.2");
  const staged = join(it.root, "run/ostree/staged-deployment");
  await writeFile(staged, "damaged");
  await writeFile(join(it.root, "run/reboot-required"), "bootc: Reboot required for image: x\n");
  const script: readonly ScriptLine[] = [
    ...start(it),
    [
      "+ ostree admin set-default 2",
      async () => {
        await rm(staged);
        throw new BootcError("No space left on device", { kind: "space" });
      },
    ],
    list(it.booted, ROLLBACK),
  ];
  const said = await play(it, script, (ctx) => rollback(ctx, {}));
  expect(said).toMatch(/error: ostree did not put `.*` first\n$/);
  expect(await readdir(join(it.root, "run"))).not.toContain("reboot-required");
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
