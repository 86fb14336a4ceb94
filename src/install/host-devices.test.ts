import { expect, test } from "vitest";
import { scriptedContext } from "../testing/scripted-context.ts";
import { showHostDevices } from "./host-devices.ts";

const LOOK = "? findmnt --json --list --nofsroot --output TARGET,SOURCE,FSTYPE,OPTIONS,FSROOT";

function mounts(...types: readonly string[]): string {
  const at = (target: string, fstype: string) => ({
    target,
    source: fstype,
    fstype,
    options: "rw",
    fsroot: "/",
  });
  const own = types.map((it) => at("/dev", it));
  return JSON.stringify({ filesystems: [at("/", "overlay"), ...own, at("/dev/pts", "devpts")] });
}

test("a container with devices of its own gets the host's", async () => {
  const { ctx, transcript, requireAllUsed } = scriptedContext("/none", [
    [LOOK, mounts("tmpfs")],
    ["+ mount -t devtmpfs devtmpfs /dev"],
  ]);
  await showHostDevices(ctx);
  requireAllUsed();
  expect(transcript()).toContain("devtmpfs");
});

test.each([
  ["given with -v /dev:/dev", ["tmpfs", "devtmpfs"]],
  ["there from the start", ["devtmpfs"]],
])("devices of the host stay: %s", async (_about, types) => {
  const { ctx, requireAllUsed } = scriptedContext("/none", [[LOOK, mounts(...types)]]);
  await showHostDevices(ctx);
  requireAllUsed();
});
