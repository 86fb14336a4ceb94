import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLibrary } from "../native/ffi.ts";
import { layOutFiles } from "../testing/lay-out-files.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { labelFiles, listTree } from "./label-files.ts";

const RULES = `
/.*\t\ts:o:default_t:s0
/\t-d\ts:o:root_t:s0
/boot(/.*)?\t\ts:o:boot_t:s0
/boot/link\t-l\ts:o:link_t:s0
/boot/none\t\t<<none>>
`;

const hasLibrary = openLibrary("libselinux.so.1", {}) !== undefined;

test.skipIf(!hasLibrary)(
  "files get the labels of a policy's paths, and no program computes them",
  async () => {
    const policy = await layOutFiles({
      "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=test\n",
      "etc/selinux/test/contexts/files/file_contexts": RULES.trimStart(),
    });
    const root = await layOutFiles({ "boot/a": "", "boot/none": "" });
    await symlink("nowhere", join(root, "boot/link"));
    const { ctx, requireAllUsed } = scriptedContext(root, [
      ["+ chcon --no-dereference s:o:root_t:s0 ROOT"],
      ["+ chcon --no-dereference s:o:boot_t:s0 ROOT/boot ROOT/boot/a"],
      ["+ chcon --no-dereference s:o:link_t:s0 ROOT/boot/link"],
    ]);
    await labelFiles(ctx, policy, [
      { file: root, path: "", kind: "directory" },
      ...(await listTree({ top: join(root, "boot"), path: "boot" })),
    ]);
    requireAllUsed();
  },
);

test("without a policy, nothing is labelled", async () => {
  const policy = await layOutFiles({ "etc/x": "" });
  await mkdir(join(policy, "boot"));
  const { ctx, transcript } = scriptedContext(policy, []);
  await labelFiles(ctx, policy, await listTree({ top: join(policy, "boot"), path: "boot" }));
  expect(transcript().trim()).toBe("");
});
