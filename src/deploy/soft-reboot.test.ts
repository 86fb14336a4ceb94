import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rollback } from "../commands/rollback.ts";
import { switchImage } from "../commands/switch.ts";
import { upgrade } from "../commands/upgrade.ts";
import type { Machine } from "../testing/machine-fixture.ts";
import { LOCK, machineOf, play } from "../testing/play-verb.ts";
import type { ScriptLine } from "../testing/scripted-context.ts";
import { softReboot } from "./soft-reboot.ts";

describe("a soft reboot", () => {
  /** A staged deployment that is to be applied, on a host whose systemd knows soft reboots. */
  const capable = async (ostree: string) => {
    const it = await machineOf("2022.7");
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
    const script = [version, LOCK, prepare];
    expect(await run(it, script, "required")).toMatchInlineSnapshot(`
      "
      ? ostree --version
      + flock --exclusive --nonblock --conflict-exit-code 75 3
      > Staged deployment is already set to apply on reboot
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
    expect(await run(it, [LOCK, version], "auto")).not.toContain("error");
    const options = { transport: "registry", softReboot: "required" } as const;
    expect(await play(it, [version], (ctx) => switchImage(ctx, "quay.io/x", options))).toContain(
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
    const it = await machineOf("2025.2");
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
    expect(await run(it, [LOCK, version, prepare], "auto")).toContain(
      "error: ostree did not prepare a soft reboot\n",
    );
  });
});
