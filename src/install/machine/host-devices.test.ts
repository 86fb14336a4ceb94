import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { showHostDevices } from "./host-devices.ts";

/** A machine with file systems of these types on `/dev`, one over the other. */
async function layOutMounts(...types: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "host-devices-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const at = (path: string, type: string) => `1 1 0:1 / ${path} rw - ${type} ${type} rw\n`;
  const own = types.map((it) => at("/dev", it));
  await mkdir(join(root, "proc/self"), { recursive: true });
  const text = [at("/", "overlay"), ...own, at("/dev/pts", "devpts")].join("");
  await writeFile(join(root, "proc/self/mountinfo"), text);
  return root;
}

test("a container with its own devices gets the host's", async () => {
  const { ctx, transcript } = scriptedContext(await layOutMounts("tmpfs"), [
    ["+ mount -t devtmpfs devtmpfs /dev"],
  ]);
  await showHostDevices(ctx);
  expect(transcript()).toBe("\n+ mount -t devtmpfs devtmpfs /dev\n");
});

test.each([
  ["given with -v /dev:/dev", ["tmpfs", "devtmpfs"]],
  ["there from the start", ["devtmpfs"]],
])("devices of the host stay: %s", async (_about, types) => {
  const { ctx, transcript } = scriptedContext(await layOutMounts(...types), []);
  await showHostDevices(ctx);
  expect(transcript()).toBe("\n\n");
});
