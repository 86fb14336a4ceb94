import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectRefused, LOCK, machineOf, play } from "../testing/play-verb.ts";
import type { ScriptLine } from "../testing/scripted-context.ts";
import { status } from "./status.ts";
import { switchImage } from "./switch.ts";

const READ_ONLY = "30 1 8:1 / /sysroot ro,relatime - ext4 /dev/sda1 rw\n";

test("switch --mutate-in-place answers in JSON on request", async () => {
  const it = await machineOf("2025.2");
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

test("switch to the image that is already followed changes nothing", async () => {
  const it = await machineOf("2025.2");
  const options = { transport: "registry" };
  expect(
    await play(it, [LOCK], (ctx) => switchImage(ctx, "quay:latest", options)),
  ).toMatchInlineSnapshot(`
    "
    + flock --exclusive --nonblock --conflict-exit-code 75 3
    > Image specification is unchanged.
    "
  `);
});

test("switch removes what a run protected that was killed at its end", async () => {
  const it = await machineOf("2025.2");
  const repo = join(it.root, "sysroot/ostree/repo");
  const [own, refs] = ["extensions/bootc", "refs/heads/ostree/container/baseimage/bootc-pull"];
  for (const dir of [own, refs, "objects"]) await mkdir(join(repo, dir), { recursive: true });
  await writeFile(join(repo, "config"), "[core]\nrepo_version=1\nmode=bare\n");
  await writeFile(join(repo, own, "owner-killed"), "");
  await writeFile(join(repo, refs, "killed"), `${"0".repeat(64)}\n`);
  // Of the host, the repository, and the run that was killed.
  const script = [LOCK, LOCK, LOCK];
  await play(it, script, (ctx) => switchImage(ctx, "quay:latest", { transport: "registry" }));
  expect(await readdir(join(repo, own))).toEqual(["lock"]);
  expect(await readdir(join(repo, refs))).toEqual([]);
});

test("switch makes /sysroot writable first", async () => {
  const it = await machineOf("2025.2");
  await writeFile(join(it.root, "proc/self/mountinfo"), READ_ONLY);
  const remount: ScriptLine = ["+ mount -o remount,rw /sysroot"];
  const options = { transport: "registry" };
  await play(it, [remount, LOCK], (ctx) => switchImage(ctx, "quay:latest", options));
});

test("a /boot that is mounted read-only becomes writable as well", async () => {
  const it = await machineOf("2025.2");
  const boot = READ_ONLY.replace("30 1", "31 1").replace("/sysroot", "/boot");
  await writeFile(join(it.root, "proc/self/mountinfo"), READ_ONLY + boot);
  const remounts: readonly ScriptLine[] = [
    ["+ mount -o remount,rw /sysroot"],
    ["+ mount -o remount,rw /boot"],
  ];
  const options = { transport: "registry" };
  await play(it, [...remounts, LOCK], (ctx) => switchImage(ctx, "quay:latest", options));
});

test("switch starts nothing where it may not run", async () => {
  await expectRefused((ctx) => switchImage(ctx, "quay.io/x", { transport: "registry" }));
});
