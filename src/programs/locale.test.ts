import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createContext } from "../system/run.ts";
import { unmount } from "./disk/mount.ts";
import { editFile } from "./editor.ts";
import { askGateProgram } from "./gate.ts";
import { runHealthScript } from "./health-script.ts";
import { runHooks } from "./hook.ts";
import { pullPodmanImage, runInstaller, runPodman, runPodmanImage } from "./podman.ts";

/** A program that writes down which language it is to speak. */
const PROGRAM = '#!/bin/sh\necho "$LC_ALL $LANGUAGE" >>"$SEEN"\n';
const HOOK = "etc/bootc/hooks.d/10-mail";

async function setUp() {
  const root = await mkdtemp(join(tmpdir(), "locale-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const path of [HOOK, "bin/podman", "bin/umount", "bin/program"]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), PROGRAM, { mode: 0o755 });
  }
  const program = join(root, "bin/program");
  const seen = join(root, "seen");
  const env = {
    ...{ PATH: `${join(root, "bin")}:/usr/bin:/bin`, SEEN: seen, EDITOR: program },
    ...{ LC_ALL: "de_DE.UTF-8", LANGUAGE: "de" },
  };
  const readSeen = async () => (await readFile(seen, "utf8")).split("\n").slice(0, -1);
  return { ctx: createContext({ root, env }), program, readSeen };
}

test("programs that people talk to, and their own, keep the caller's language", async () => {
  const { ctx, program, readSeen } = await setUp();
  await editFile(ctx, "document");
  await runHooks(ctx, "staged", "{}");
  expect(await askGateProgram(ctx, program, { step: "reboot", timeoutMs: 60_000 })).toBeUndefined();
  expect(await runHealthScript(ctx, program, 60_000)).toBeUndefined();
  await pullPodmanImage(ctx, "image");
  await runPodman(ctx, ["run", "image"]);
  await runInstaller(ctx, program);
  await runPodmanImage(ctx, { dir: "/storage", runDescriptor: 1, authFile: "/auth" }, ["list"]);
  expect(await readSeen()).toEqual(Array.from({ length: 8 }, () => "de_DE.UTF-8 de"));
});

test("a program whose failures are known by their words speaks English", async () => {
  const { ctx, readSeen } = await setUp();
  await unmount(ctx, "/mnt");
  expect(await readSeen()).toEqual(["C.UTF-8 "]);
});
