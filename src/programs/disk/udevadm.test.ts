import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { settleDevices } from "./udevadm.ts";

test.each([
  ["here", ["run/udev"], ["+ udevadm settle"]],
  ["on the host", ["proc/1/root/run/udev"], ["+ nsenter --target=1 --mount -- udevadm settle"]],
  ["nowhere", [], []],
])("udev runs %s", async (_about, dirs, commands) => {
  const root = await mkdtemp(join(tmpdir(), "udev-"));
  for (const it of dirs) {
    await mkdir(join(root, it), { recursive: true });
    await writeFile(join(root, it, "control"), "");
  }
  const { ctx, requireAllUsed, transcript } = scriptedContext(
    root,
    commands.map((it) => [it] as const),
  );
  await settleDevices(ctx);
  requireAllUsed();
  expect(transcript().trim().split("\n").filter(Boolean)).toEqual(commands);
});
