import { symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openLibrary } from "../../native/ffi.ts";
import { layOutFiles } from "../../testing/lay-out-files.ts";
import { openLabelsOf } from "./of-directory.ts";

const CONFIG = "SELINUX=enforcing\nSELINUXTYPE=test\n";
const rules = (type: string) => `/.*\t\tsystem_u:object_r:${type}:s0\n`;
const CONTEXTS = "etc/selinux/test/contexts/files";

async function labelIn(root: string): Promise<string | undefined> {
  const labels = await openLabelsOf(root);
  try {
    return labels?.lookUp("/x", 0)?.split(":")[2];
  } finally {
    labels?.close();
  }
}

const hasLibrary = openLibrary("libselinux.so.1", {}) !== undefined;

describe.skipIf(!hasLibrary)("with libselinux", () => {
  test.each<[about: string, files: Readonly<Record<string, string>>, want: string | undefined]>([
    [
      "that of /etc",
      {
        "etc/selinux/config": CONFIG,
        [`${CONTEXTS}/file_contexts`]: rules("etc_t"),
        "usr/etc/selinux/config": CONFIG,
        [`usr/${CONTEXTS}/file_contexts`]: rules("usr_t"),
      },
      "etc_t",
    ],
    [
      "that of /usr/etc where /etc has none",
      { "usr/etc/selinux/config": CONFIG, [`usr/${CONTEXTS}/file_contexts`]: rules("usr_t") },
      "usr_t",
    ],
    [
      "its local rules, too",
      {
        "etc/selinux/config": CONFIG,
        [`${CONTEXTS}/file_contexts`]: rules("etc_t"),
        [`${CONTEXTS}/file_contexts.local`]: "/x\t\tsystem_u:object_r:local_t:s0\n",
      },
      "local_t",
    ],
    ["none without a policy", { "etc/x": "" }, undefined],
    ["none without file contexts", { "etc/selinux/config": CONFIG }, undefined],
    [
      "none where SELinux is off",
      {
        "etc/selinux/config": CONFIG.replace("enforcing", "disabled"),
        [`${CONTEXTS}/file_contexts`]: rules("etc_t"),
      },
      undefined,
    ],
  ])("the policy of a directory: %s", async (_about, files, want) => {
    expect(await labelIn(await layOutFiles(files))).toBe(want);
  });

  test("links lead to files of the same system", async () => {
    const root = await layOutFiles({
      "etc/selinux/config": CONFIG,
      "usr/share/policy/contexts/files/file_contexts": rules("linked_t"),
    });
    await symlink("/usr/share/policy", join(root, "etc/selinux/test"));
    expect(await labelIn(root)).toBe("linked_t");
  });

  test("the newer one of a file and its compiled form counts, as libselinux has it", async () => {
    const root = await layOutFiles({
      "etc/selinux/config": CONFIG,
      [`${CONTEXTS}/file_contexts`]: rules("text_t"),
      // Not compiled at all: libselinux reads it as text.
      [`${CONTEXTS}/file_contexts.bin`]: rules("compiled_t"),
    });
    const setTime = (name: string, seconds: number) =>
      utimes(join(root, CONTEXTS, name), seconds, seconds);
    await setTime("file_contexts", 100);
    await setTime("file_contexts.bin", 99);
    expect(await labelIn(root)).toBe("text_t");
    await setTime("file_contexts.bin", 100);
    expect(await labelIn(root)).toBe("compiled_t");
  });
});
