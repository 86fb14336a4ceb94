import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeError } from "../errors.ts";
import { machineOf, makeInterrupt } from "../testing/play-verb.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { flushInstalled } from "./onto-filesystem.ts";

test("whoever interrupts the last flush of an installation is not told to install again", async () => {
  const machine = await machineOf("2025.2");
  const root = join(machine.root, "target");
  await mkdir(root);
  const interrupt = await makeInterrupt(machine, {});
  const { ctx } = scriptedContext(machine.root, [
    ["+ sync --file-system ROOT/target", interrupt.now],
  ]);
  const installed = {
    root,
    mount: {
      source: "/dev/vda1",
      device: "253:1",
      path: root,
      type: "ext4",
      fsRoot: "/",
      isReadOnly: false,
    },
    type: "ext4",
    bootMount: undefined,
    hasOwnBoot: false,
    hasOstree: true,
  } as const;
  const error = await flushInstalled(interrupt.of(ctx), installed).catch(describeError);
  expect(error).toEqual({
    kind: "failed",
    message: "the image is installed, but what follows has failed",
    causes: ["interrupted"],
    hint: "the next boot starts it; another run would install it once more",
  });
});
