import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { showHostDirectories, showOsbuildImages } from "./host-directories.ts";

/** A container on a host with the firmware's variables mounted in these processes' namespaces. */
async function containerWith(...processes: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "container-"));
  for (const it of processes) {
    const path = join(root, "proc", it, "mountinfo");
    await mkdir(dirname(path), { recursive: true });
    const options = "rw - efivarfs efivarfs rw";
    await writeFile(path, `1 2 0:9 / /sys/firmware/efi/efivars ${options}\n`);
  }
  return root;
}

test.each([
  ["neither the host nor we", [], 0],
  ["both", ["1", "self"], 0],
  ["the host alone", ["1"], 1],
])("the firmware's variables are seen by %s", async (_about, processes, count) => {
  const mount = "+ mount -t efivarfs efivarfs /sys/firmware/efi/efivars";
  const script = Array.from({ length: count }, () => [mount] as const);
  const { ctx, requireAllUsed } = scriptedContext(await containerWith(...processes), script);
  await showHostDirectories(ctx);
  requireAllUsed();
});

test.each([
  ["a storage of its own", ["var/lib/containers/storage", "run/osbuild/containers"], 0],
  ["nothing from osbuild", [], 0],
  ["osbuild's images alone", ["run/osbuild/containers"], 1],
])("an installer with %s", async (_about, dirs, count) => {
  const root = await containerWith();
  for (const it of dirs) await mkdir(join(root, it), { recursive: true });
  const mount = "+ mount --bind ROOT/run/osbuild/containers ROOT/var/lib/containers/storage";
  const script = Array.from({ length: count }, () => [mount] as const);
  const { ctx, requireAllUsed } = scriptedContext(root, script);
  await showOsbuildImages(ctx);
  requireAllUsed();
});
