import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sh } from "../vm/shell.ts";
import { attach, type Layout } from "./file-systems.ts";
import { type ShellSession, startSession } from "./shell-session.ts";
import { UNMOUNTABLE, viewScript } from "./view-script.ts";

const BYTES = 8 << 20;
const LAYOUT: Layout = {
  root: { type: "ext4", offset: 0, bytes: BYTES },
  boot: { type: "ext4", offset: BYTES, bytes: BYTES },
};
const isMissing = process.getuid?.() !== 0 || !existsSync("/dev/loop-control");

describe.skipIf(isMissing)(`looking at a disk${isMissing ? " (needs root, loops)" : ""}`, () => {
  let dir: string;
  let disk: string;
  let devices: { readonly root: string; readonly boot: string };
  let session: ShellSession;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "crash-view-"));
    disk = join(dir, "disk");
    const file = await open(disk, "w");
    await file.truncate(2 * BYTES);
    await file.close();
    const [root, boot] = [LAYOUT.root, LAYOUT.boot ?? LAYOUT.root];
    devices = { root: await attach(disk, root), boot: await attach(disk, boot) };
    for (const it of Object.values(devices)) await sh("mkfs.ext4", ["-q", it]);
    await sh("debugfs", ["-w", "-R", "mkdir boot", devices.root]);
    session = startSession(viewScript(LAYOUT, devices, await makeFolder("view")));
  });
  afterEach(async () => {
    await session.end();
    for (const it of Object.values(devices)) await sh("losetup", ["--detach", it]);
    rmSync(dir, { recursive: true });
  });

  async function makeFolder(name: string): Promise<string> {
    await sh("mkdir", [join(dir, name)]);
    return join(dir, name);
  }

  const isMounted = async () =>
    (await session.run(`mountpoint --quiet ${join(dir, "view")}`)).status === 0;

  test("nothing stays mounted, whichever part of the disk is damaged", async () => {
    const whole = await session.run("look");
    expect(whole).toEqual({ status: 0, lines: [expect.stringMatching(/^root [0-9a-f]{32}/)] });
    for (const at of [BYTES, 0]) {
      const file = await open(disk, "r+");
      await file.write(Buffer.alloc(BYTES), 0, BYTES, at);
      await file.close();
      for (const step of ["recover", "look"]) {
        expect((await session.run(step)).status).toBe(UNMOUNTABLE);
        expect(await isMounted()).toBe(false);
      }
    }
  });

  test("a step that cannot drop what the kernel keeps fails", async () => {
    await session.run("true");
    for (const step of ["fresh", "recover", "look"]) {
      const { status } = await session.run(`blockdev() { return 5; }; ${step}`);
      expect(status).toBe(5);
    }
    expect((await session.run("fresh")).status).toBe(0);
  });
});
