import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { printInstallConfiguration } from "./print-configuration.ts";

test("the answer is one JSON document without a newline; kernel arguments only with --all", async () => {
  const root = await mkdtemp(join(tmpdir(), "config-"));
  const write = async (dir: string, text: string) => {
    await mkdir(join(root, dir, "bootc/install"), { recursive: true });
    await writeFile(join(root, dir, "bootc/install/10.toml"), text);
  };
  await write("usr/lib", '[install]\nroot-fs-type = "ext4"\n');
  await write("etc", '[install]\nroot-fs-type = "xfs"\nkargs = ["quiet"]\n');
  const print = async (isComplete: boolean) => {
    const { ctx, transcript } = scriptedContext(root, []);
    await printInstallConfiguration(ctx, { all: isComplete });
    const [, json = ""] = /^\n> (.*) \(no newline\)\n$/.exec(transcript()) ?? [];
    return JSON.parse(json);
  };
  const short = await print(false);
  expect(short).toMatchObject({ "root-fs-type": "xfs", filesystem: { root: { type: "xfs" } } });
  expect(short).not.toHaveProperty("kargs");
  expect(await print(true)).toMatchObject({ kargs: ["quiet"], block: ["direct"] });
});
