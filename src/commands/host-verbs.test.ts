import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { softReboot } from "../deploy/soft-reboot.ts";
import type { Context } from "../system/context.ts";
import { layOutMachine, type Machine } from "../testing/machine-fixture.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { edit } from "./edit.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { switchImage } from "./switch.ts";
import { upgrade } from "./upgrade.ts";
import { usrOverlay } from "./usr-overlay.ts";

const OSTREE_2025 = "libostree:\n Version: '2025.2'\n";
const LOCK = "+ flock --exclusive --nonblock --conflict-exit-code 75 3";

const LOCK_LINE: ScriptLine = [LOCK];

const machine = () =>
  layOutMachine(new URL("../sysroot/fixtures/ostree-2025.2-staged.json", import.meta.url));

/** Runs a verb against a script, to its transcript; its error, if any, comes last. */
async function play(
  { root }: Machine,
  script: readonly ScriptLine[],
  verb: (ctx: Context) => Promise<void>,
): Promise<string> {
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  const error = await verb(ctx).then(
    () => "",
    (it: Error) => `error: ${it.message}\n`,
  );
  requireAllUsed();
  return transcript() + error;
}

test("status asks no program", async () => {
  const it = await machine();
  expect(
    await play(it, [], (ctx) => status(ctx, { format: "humanreadable", booted: true })),
  ).toMatchInlineSnapshot(`
    "
    > ● Booted image: quay:latest
            Digest: sha256:14a94e9818b2b53d6f5cf1a8e8c4e010c8a0c5a8c252ced10f711b2da9cb4367 (amd64)
           Version: 42.0 (2026-11-23T12:00:00Z)
      /usr overlay: transient, read/write
    "
  `);
});

test("the format of status is what was asked for, else what suits the terminal", async () => {
  const it = await machine();
  const first = async (options: Parameters<typeof status>[1], isTerminal: boolean) => {
    const { ctx, transcript } = scriptedContext(it.root, [], { isTerminal });
    await status(ctx, options);
    return transcript().slice(1, 14);
  };
  expect(await first({}, true)).toBe(">   Staged im");
  expect(await first({}, false)).toBe("> apiVersion:");
  expect(await first({ json: true }, true)).toBe('> {"apiVersio');
  expect(await first({ json: true, format: "yaml" }, true)).toBe("> apiVersion:");
});

test("switch --mutate-in-place answers in JSON where it is asked to", async () => {
  const it = await machine();
  const mutate = (json: boolean) =>
    play(it, [], (ctx) =>
      switchImage(ctx, "quay.io/example/new", { transport: "registry", mutateInPlace: true, json }),
    );
  expect(await mutate(false)).toMatch(
    /^\n> Updated [0-9a-f]{64}\.0 to pull from docker:\/\/quay\.io\/example\/new\n$/,
  );
  const document = await play(it, [], (ctx) => status(ctx, { json: true }));
  expect(await mutate(true)).toBe(document);
  expect(document).toMatch(/^\n> \{"apiVersion":.*quay\.io\/example\/new.*\(no newline\)\n$/);
});

test("rollback looks whether ostree did what it was asked for", async () => {
  const it = await machine();
  const script: readonly ScriptLine[] = [
    [LOCK],
    ["? ostree --version", OSTREE_2025],
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

test("rollback needs a newer ostree than 2022.7", async () => {
  const it = await machine();
  const script: readonly ScriptLine[] = [[LOCK], ["? ostree --version", " Version: '2022.7'\n"]];
  expect(await play(it, script, (ctx) => rollback(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    error: rollback needs ostree 2023.6, this host has 2022.7
    "
  `);
});

test("upgrade --from-downloaded unlocks what is staged and looks that it is unlocked", async () => {
  const script: readonly ScriptLine[] = [[LOCK], ["? ostree --version", " Version: '2022.7'\n"]];
  const older = await layOutMachine(
    new URL("../sysroot/fixtures/ostree-2022.7-staged.json", import.meta.url),
  );
  expect(
    await play(older, script, (ctx) => upgrade(ctx, { fromDownloaded: true })),
  ).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    ? ostree --version
    > Staged deployment will now be applied on reboot
    "
  `);
  expect(await readFile(join(older.root, "run/reboot-required"), "utf8")).toMatch(
    /^bootc: Reboot required for image: sha256:[0-9a-f]{64}\n$/,
  );
});

describe("a soft reboot", () => {
  /** A staged deployment that is to be applied, on a host whose systemd knows soft reboots. */
  const capable = async (ostree: string) => {
    const it = await layOutMachine(
      new URL("../sysroot/fixtures/ostree-2022.7-staged.json", import.meta.url),
    );
    await rm(join(it.root, "run/ostree/staged-deployment-locked"));
    const units = join(it.root, "usr/lib/systemd/system");
    await mkdir(units, { recursive: true });
    await writeFile(join(units, "soft-reboot.target"), "");
    await writeFile(join(it.root, "proc/cmdline"), "ostree.prepare-root.composefs=yes\n");
    const entry = join(it.root, "boot/loader.0/entries/ostree-2-default.conf");
    const text = await readFile(entry, "utf8");
    await writeFile(entry, text.replace("options root=UUID=x rw", "options rw quiet"));
    const version: ScriptLine = ["? ostree --version", ` Version: '${ostree}'\n`];
    return { it, version };
  };
  const run = (it: Machine, script: readonly ScriptLine[], softReboot: "required" | "auto") =>
    play(it, script, (ctx) => upgrade(ctx, { fromDownloaded: true, softReboot }));

  test("is prepared by ostree in the namespace of process 1", async () => {
    const { it, version } = await capable("2025.7");
    const prepare: ScriptLine = [
      "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot 0",
      () => writeFile(join(it.root, "run/ostree/nextroot-booted"), ""),
    ];
    // Whether it can be is looked at first, then the host before the change and after it.
    const script = [version, version, LOCK_LINE, version, version, prepare];
    expect(await run(it, script, "required")).toMatchInlineSnapshot(`
      "
      ? ostree --version
      ? ostree --version
      + flock --exclusive --nonblock --conflict-exit-code 75 3
      ? ostree --version
      > Staged deployment is already set to apply on reboot
      ? ostree --version
      > Staged deployment is soft-reboot capable, preparing for soft-reboot...
      + nsenter --target=1 --mount -- ostree admin prepare-soft-reboot 0
      "
    `);
  });

  test("is an error before anything else, or a normal reboot, where ostree is too old", async () => {
    const { it, version } = await capable("2025.2");
    // Told before anything is done: nothing that is staged or queued would change the answer.
    const refused = "Soft reboot was required but staged deployment is not soft-reboot capable";
    expect(await run(it, [version], "required")).toBe(`\n? ostree --version\nerror: ${refused}\n`);
    expect(await run(it, [LOCK_LINE, version, version], "auto")).not.toContain("error");
    const words = { transport: "registry", softReboot: "required" } as const;
    expect(await play(it, [version], (ctx) => switchImage(ctx, "quay.io/x", words))).toContain(
      refused,
    );
    const back = { softReboot: "required" } as const;
    expect(await play(it, [version], (ctx) => rollback(ctx, back))).toContain(
      "Soft reboot was required but rollback deployment is not soft-reboot capable",
    );
    await rm(join(it.root, "usr/lib/systemd/system/soft-reboot.target"));
    expect(await run(it, [], "required")).toContain(refused);
  });

  test("is an error afterwards where only what was pulled tells that there is none", async () => {
    const it = await machine();
    expect(await play(it, [], (ctx) => softReboot(ctx, "auto", "staged"))).toBe("\n\n");
    expect(await play(it, [], (ctx) => softReboot(ctx, "required", "staged"))).toBe(
      "\n\nerror: Soft reboot was required but staged deployment is not soft-reboot capable\n",
    );
  });

  test("that ostree only seems to prepare is an error", async () => {
    const { it, version } = await capable("2025.7");
    const prepare: ScriptLine = [
      "+ nsenter --target=1 --mount -- ostree admin prepare-soft-reboot 0",
      async () => void (await mkdir(join(it.root, "run/nextroot"))),
    ];
    expect(await run(it, [LOCK_LINE, version, version, prepare], "auto")).toContain(
      "error: ostree prepared no soft reboot\n",
    );
  });
});

test("upgrade refuses a host that rpm-ostree has changed", async () => {
  const it = await machine();
  await rm(join(it.root, "run/ostree/staged-deployment"));
  const path = join(it.root, `sysroot/ostree/deploy/default/deploy/${it.booted}.origin`);
  await writeFile(
    path,
    "[origin]\ncontainer-image-reference=ostree-unverified-registry:x\n[packages]\n",
  );
  expect(await play(it, [[LOCK]], (ctx) => upgrade(ctx, {}))).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    error: Deployment contains local rpm-ostree modifications; cannot upgrade via bootc
    "
  `);
});

test("switch to what is followed already changes nothing", async () => {
  const it = await machine();
  const words = { transport: "registry" };
  expect(
    await play(it, [[LOCK]], (ctx) => switchImage(ctx, "quay:latest", words)),
  ).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    > Image specification is unchanged.
    "
  `);
});

test("an editor that changes nothing changes nothing", async () => {
  const it = await machine();
  const script: readonly ScriptLine[] = [["+ vi -u NONE TMP/host.yaml"], [LOCK]];
  const { ctx, transcript, requireAllUsed } = scriptedContext(it.root, script, {
    env: { EDITOR: "vi  -u NONE" },
  });
  await edit(ctx, {});
  requireAllUsed();
  expect(transcript()).toMatchInlineSnapshot(`
    "
    + vi -u NONE TMP/host.yaml
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    > Edit cancelled, no changes made.
    "
  `);
});

test("without an editor edit says what to do", async () => {
  expect(await play(await machine(), [], (ctx) => edit(ctx, {}))).toMatchInlineSnapshot(`
    "

    error: $EDITOR is unset, and no backup editor found
    "
  `);
});

test("usr-overlay leaves the mounting to ostree", async () => {
  const it = await machine();
  const script: readonly ScriptLine[] = [["+ ostree admin unlock --transient"]];
  expect(await play(it, [], (ctx) => usrOverlay(ctx, { readOnly: true }))).toBe(
    "\n\nerror: an overlay is mounted on /usr already\n",
  );
  await rm(join(it.root, "run/ostree/deployment-state"), { recursive: true });
  expect(await play(it, script, (ctx) => usrOverlay(ctx, { readOnly: true }))).toBe(
    "\n+ ostree admin unlock --transient\n",
  );
});

const VERBS: Readonly<Record<string, (ctx: Context) => Promise<void>>> = {
  upgrade: (ctx) => upgrade(ctx, {}),
  switch: (ctx) => switchImage(ctx, "quay.io/x", { transport: "registry" }),
  rollback: (ctx) => rollback(ctx, {}),
  edit: (ctx) => edit(ctx, {}),
};

test.each(Object.entries(VERBS))("%s starts nothing where it may not run", async (_name, verb) => {
  const container = await machine();
  await writeFile(join(container.root, "run/.containerenv"), "");
  expect(await play(container, [], verb)).toContain(
    "error: Detected container; this command requires a booted host system.\n",
  );
  const user = await machine();
  await writeFile(join(user.root, "proc/self/status"), "Uid:\t0\t1000\t0\t0\nCapBnd:\t00\n");
  expect(await play(user, [], verb)).toContain("must be executed as the root user");
  await writeFile(
    join(user.root, "proc/self/status"),
    "Uid:\t0\t0\t0\t0\nCapBnd:\t00000000a80425fb\n",
  );
  expect(await play(user, [], verb)).toContain("requires full root privileges (CAP_SYS_ADMIN)");
  const other = await machine();
  await rm(join(other.root, "run/ostree-booted"));
  expect(await play(other, [], verb)).toContain("error: System not booted via bootc\n");
});

test.each<[string, { readonly file?: string; readonly env?: Readonly<Record<string, string>> }]>([
  ["there is a file `/run/.containerenv`", { file: "run/.containerenv" }],
  ["there is a file `/.dockerenv`", { file: ".dockerenv" }],
  ["the environment variable `container` is `podman`", { env: { container: "podman" } }],
])("what looks like a container is told why: %s", async (why, { file, env = {} }) => {
  const { root } = await machine();
  if (file !== undefined) await writeFile(join(root, file), "");
  const { ctx } = scriptedContext(root, [], { env });
  await expect(upgrade(ctx, {})).rejects.toMatchObject({
    kind: "unsupported",
    hint: `this looks like a container because ${why}`,
  });
});

test("a medium that cannot be written is told from a mount that is read-only", async () => {
  const it = await machine();
  await writeFile(
    join(it.root, "proc/self/mountinfo"),
    "30 1 8:1 / /sysroot ro,relatime - ext4 /dev/sda1 rw\n",
  );
  const remount: ScriptLine = ["+ mount -o remount,rw /sysroot"];
  const words = { transport: "registry" };
  await play(it, [remount, [LOCK]], (ctx) => switchImage(ctx, "quay:latest", words));
  await mkdir(join(it.root, "sys/dev/block/8:1"), { recursive: true });
  await writeFile(join(it.root, "sys/dev/block/8:1/ro"), "1\n");
  expect(await play(it, [], (ctx) => rollback(ctx, {}))).toContain(
    "error: Cannot perform this operation: /sysroot is on a read-only block device",
  );
});
