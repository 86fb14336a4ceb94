import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import type { Prompt } from "../reinstall/prompt.ts";
import type { Context } from "../system/context.ts";
import { machineOf } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { systemReinstall } from "./system-reinstall-bootc.ts";

/** Installs, and does what is given in place of waiting for a key, and for the reboot. */
async function play(waitForLine: (abort: AbortController) => void, { rebootFailure = "" } = {}) {
  const { root } = await machineOf("2025.2");
  await mkdir(join(root, "bin"));
  await writeFile(join(root, "bin/podman"), "", { mode: 0o755 });
  const abort = new AbortController();
  const prompt: Prompt = {
    ask: async () => "y",
    waitForLine: async () => waitForLine(abort),
    close: () => undefined,
  };
  const { ctx, transcript } = scriptedContext(root, [], { env: { PATH: join(root, "bin") } });
  const started: string[] = [];
  const installing: Context = {
    ...ctx,
    signal: abort.signal,
    read: async (program) => (program === "loginctl" ? "[]" : ""),
    run: async (program) => {
      started.push(program);
      if (program !== "podman" && rebootFailure !== "") throw new BootcError(rebootFailure);
    },
  };
  const error = await systemReinstall(installing, "quay.io/os", {}, prompt).catch(describeError);
  return { error, started, said: transcript() };
}

test("whoever cancels the reboot has the image installed, and no failure", async () => {
  const { error, started, said } = await play((abort) => {
    abort.abort(new BootcError("interrupted", { hint: "run it again to carry on" }));
    throw abort.signal.reason;
  });
  expect(error).toBeUndefined();
  expect(started).toEqual(["podman"]);
  expect(said).toMatch(/\n> Installed; the next boot starts it\n$/);
});

test.each([
  [
    "cannot ask",
    ["podman"],
    () => {
      throw new BootcError("it failed");
    },
  ],
  ["cannot reboot", ["podman", "systemd-run"], () => undefined],
])("who %s is not told to install once more", async (_what, programs, waitForLine) => {
  const { error, started } = await play(waitForLine, { rebootFailure: "it failed" });
  expect(started).toEqual(programs);
  expect(error).toEqual({
    kind: "failed",
    message: "the image is installed, but what follows has failed",
    causes: ["it failed"],
    hint: "the next boot starts it; a second run would install it once more",
  });
});
