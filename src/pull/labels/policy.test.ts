import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCommit } from "../../repository/tree.ts";
import { type TreeContent, writeCommit } from "../../testing/committed-tree.ts";
import { type ImagePolicy, readPolicy } from "./policy.ts";

let repo = "";
beforeEach(async () => {
  repo = await mkdtemp(join(tmpdir(), "policy-"));
});
afterEach(() => rm(repo, { recursive: true }));

type Tree = Readonly<Record<string, TreeContent>>;

async function read(tree: Tree): Promise<ImagePolicy | undefined> {
  return await readPolicy({ repo, tree: await openCommit(repo, await writeCommit(repo, tree)) });
}

/** The texts of the policy's files. */
async function readTexts(tree: Tree): Promise<Readonly<Record<string, string>>> {
  const files = [...((await (await read(tree))?.readFiles()) ?? [])];
  return Object.fromEntries(files.map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

const CONFIG = "# a comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n";
const TOP = "usr/etc/selinux";
const FILES = `${TOP}/targeted/contexts/files`;
const POLICY = { [`${TOP}/targeted/policy/policy.33`]: "policy" };

test.each<[what: string, config: string, contexts: string, want: string | undefined]>([
  ["it is named and there", CONFIG, "file_contexts", "targeted"],
  ["only its compiled form is there", CONFIG, "file_contexts.bin", "targeted"],
  ["it has no contexts", CONFIG, "other", undefined],
  ["another is named", CONFIG.replace("targeted", "mls"), "file_contexts", undefined],
  ["none is named", "SELINUX=enforcing\n", "file_contexts", undefined],
  ["the name is in a comment", CONFIG.replace("SELINUXT", "#SELINUXT"), "file_contexts", undefined],
  ["SELinux is off", CONFIG.replace("enforcing", "disabled"), "file_contexts", undefined],
  ["nothing says that it is on", "SELINUXTYPE=targeted\n", "file_contexts", undefined],
])("the policy of a tree, where %s", async (_, config, contexts, want) => {
  const tree = { [`${TOP}/config`]: config, [`${FILES}/${contexts}`]: "x", ...POLICY };
  expect((await read(tree))?.name).toBe(want);
});

test.each(["../targeted", "../../../../etc/selinux/targeted", ".", "..", "a/b"])(
  "a policy with the path %s for a name is refused",
  async (name) => {
    const config = CONFIG.replace("targeted", name);
    const tree = { [`${TOP}/config`]: config, [`${FILES}/file_contexts`]: "x", ...POLICY };
    await expect(read(tree)).rejects.toMatchObject({ kind: "integrity", hint: /SELINUXTYPE/ });
  },
);

test("only the files that decide about labels count", async () => {
  const tree = { [`${TOP}/config`]: CONFIG, [`${FILES}/file_contexts`]: "1", ...POLICY };
  const first = await read(tree);
  const same = await read({ ...tree, [`${FILES}/media`]: "x", "usr/bin/x": "x" });
  const other = await read({ ...tree, [`${FILES}/file_contexts.subs`]: "/a /b" });
  expect(same?.key).toBe(first?.key);
  expect(other?.key).not.toBe(first?.key);
});

test("an `etc/selinux` goes before that of usr/etc", async () => {
  const tree = { [`${TOP}/config`]: CONFIG, [`${FILES}/file_contexts`]: "x", ...POLICY };
  expect(await read({ ...tree, "etc/selinux/config": "" })).toBeUndefined();
  expect((await read({ ...tree, "etc/other": "" }))?.name).toBe("targeted");
});

test("links are followed inside the tree alone", async () => {
  const tree = {
    [`${TOP}/config`]: { link: "../../share/config" },
    "usr/share/config": CONFIG,
    [`${FILES}/file_contexts`]: { link: "/etc/selinux/contexts" },
    [`${TOP}/contexts`]: "inside",
    [`${FILES}/file_contexts.local`]: { link: "/../../../../../etc/passwd" },
    ...POLICY,
  };
  expect(await readTexts(tree)).toEqual({ file_contexts: "inside" });
});

test("a link to itself is refused", async () => {
  const link = { link: "file_contexts.subs" };
  const tree = { [`${TOP}/config`]: CONFIG, [`${FILES}/file_contexts.subs`]: link, ...POLICY };
  await expect(read(tree)).rejects.toThrow("has too many links");
});

test("a policy that ostree would refuse for lack of the policy itself is refused", async () => {
  const tree = { [`${TOP}/config`]: CONFIG, [`${FILES}/file_contexts`]: "x" };
  await expect(read(tree)).rejects.toThrow(
    "the image's SELinux policy is incomplete: /usr/etc/selinux/targeted/policy has no policy",
  );
});
