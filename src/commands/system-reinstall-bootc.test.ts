import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import type { Prompt } from "../reinstall/prompt.ts";
import type { Context } from "../system/context.ts";
import { machineOf } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { systemReinstall } from "./system-reinstall-bootc.ts";

test("whoever cancels the reboot is not told to install once more", async () => {
  const { root } = await machineOf("2025.2");
  await mkdir(join(root, "bin"));
  await writeFile(join(root, "bin/podman"), "", { mode: 0o755 });
  const prompt: Prompt = {
    ask: async () => "y",
    waitForLine: async () => {
      throw new BootcError("interrupted", { hint: "run it again to carry on" });
    },
    close: () => undefined,
  };
  const { ctx } = scriptedContext(root, [], { env: { PATH: join(root, "bin") } });
  const started: string[] = [];
  const installing: Context = {
    ...ctx,
    read: async (program) => (program === "loginctl" ? "[]" : ""),
    run: async (program) => void started.push(program),
  };
  const error = await systemReinstall(installing, "quay.io/os", {}, prompt).catch(describeError);
  expect(started).toEqual(["podman"]);
  expect(error).toEqual({
    kind: "failed",
    message: "the image is installed, but what follows has failed",
    causes: ["interrupted"],
    hint: "the next boot starts it; a second run would install it once more",
  });
});
