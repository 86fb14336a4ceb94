import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { updatesConfig } from "./config.ts";

async function machineWith(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), "updates-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const dir of ["usr/lib/bootc/updates.d", "etc/bootc/updates.d"]) {
    await mkdir(join(root, dir), { recursive: true });
  }
  for (const [path, text] of Object.entries(files)) await writeFile(join(root, path), text);
  return { root, ...scriptedContext(root, []) };
}

test("updates config prints each value with its origin", async () => {
  const { ctx, root, transcript } = await machineWith({
    "usr/lib/bootc/updates.d/50-image.toml": "[updates]\nenabled = false\n",
    "usr/lib/bootc/updates.d/60-masked.toml": "[steps]\ncheck = 'never'\n",
    "etc/bootc/updates.d/70-mine.toml": "[updates]\nenabled = true\n",
    "etc/bootc/updates.d/README": "not read",
  });
  await symlink("/dev/null", join(root, "etc/bootc/updates.d/60-masked.toml"));
  await updatesConfig(ctx, {});
  expect(transcript()).toContain(
    "> updates.enabled = true # /etc/bootc/updates.d/70-mine.toml:2:1\n",
  );
  expect(transcript()).toContain('steps.check = "always" # default\n');
});

test("updates config reports all mistakes, and a file that cannot be read", async () => {
  const { ctx, root } = await machineWith({
    "etc/bootc/updates.d/a.toml": "[updates]\nenable = 1\n\n[steps]\ncheck = 2",
  });
  await symlink("loop.toml", join(root, "etc/bootc/updates.d/loop.toml"));
  await expect(updatesConfig(ctx, {})).rejects.toThrow(
    /loop.toml` cannot be read: .*line 2, column 1: `updates.enable` is not known; .*line 5, column 9/,
  );
});

test("updates config --json has the settings and the mistakes", async () => {
  const { ctx, transcript } = await machineWith({ "etc/bootc/updates.d/a.toml": "x = 1" });
  await updatesConfig(ctx, { json: true });
  const document = JSON.parse(transcript().trim().slice(2, -" (no newline)".length));
  expect(document.settings["updates.enabled"]).toEqual({ value: true, origin: "default" });
  expect(document.mistakes).toHaveLength(1);
});
