import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Context } from "../../system/context.ts";
import { type TreeContent, writeCommit } from "../../testing/committed-tree.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import type { LabelSource } from "../labels/lookups.ts";
import type { LabelOf } from "../store/sink.ts";
import { type DerivedSettings, readDerivedSettings, type SettingsSource } from "./settings.ts";

type Tree = Readonly<Record<string, TreeContent>>;
type Source = Partial<Omit<SettingsSource, "baseCommit" | "policyCommit">> & {
  readonly base?: Tree;
  readonly booted?: Tree;
  readonly features?: string;
};

async function makeRepository(): Promise<string> {
  const repo = await mkdtemp(join(tmpdir(), "settings-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  return repo;
}

const INITIAL_VAR = "  - initial-var\n";
const CONF = "ostree/prepare-root.conf";
const TRANSIENT = "[root]\ntransient=true\n";
const FILE_CONTEXTS = "usr/etc/selinux/targeted/contexts/files/file_contexts";
const POLICY: Tree = {
  "usr/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
  [FILE_CONTEXTS]: "/.* system_u:object_r:usr_t:s0\n",
  "usr/etc/selinux/targeted/policy/policy.33": "policy",
};

/** The settings by the trees of a base and of the booted system. Of ostree, nothing but its version is asked. */
async function read({ base, booted, features = INITIAL_VAR, ...more }: Source) {
  const repo = more.repo ?? (await makeRepository());
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(_program, [verb]) {
      expect(verb).toBe("--version");
      return `libostree:\n Version: '2024.5'\n Features:\n${features}`;
    },
  };
  const commitOf = async (tree: Tree | undefined) => tree && (await writeCommit(repo, tree));
  const [baseCommit, policyCommit] = [await commitOf(base), await commitOf(booted)];
  const settings = await readDerivedSettings(ctx, { ...more, repo, baseCommit, policyCommit });
  return { repo, settings };
}

test.each<[what: string, allowsNonUsr: boolean, base: Tree | undefined]>([
  ["no base", true, undefined],
  ["a base that says nothing", false, {}],
  ["a transient root", true, { [`usr/lib/${CONF}`]: TRANSIENT }],
  ["composefs", true, { [`usr/lib/${CONF}`]: "[composefs]\nenabled=yes\n" }],
  ["neither", false, { [`usr/lib/${CONF}`]: "[composefs]\nenabled=no\n" }],
  // Upstream looks into an `etc` that no commit has, and layers have to come out the same.
  ["a transient root in usr/etc", false, { [`usr/etc/${CONF}`]: TRANSIENT }],
  ["an etc that says otherwise", false, { [`usr/lib/${CONF}`]: TRANSIENT, [`etc/${CONF}`]: "" }],
])("with %s, toplevel directories have a place: %s", async (_, allowsNonUsr, base) => {
  const { settings } = await read(base === undefined ? {} : { base });
  expect(settings.filter.allowsNonUsr).toBe(allowsNonUsr);
});

test.each([
  [INITIAL_VAR, true],
  ["  - composefs\n", false],
])("with the features %j, ostree keeps /var in its place: %s", async (features, retainsVar) => {
  expect((await read({ features })).settings.filter.retainsVar).toBe(retainsVar);
});

const isUnlabelled = ({ selinuxPolicyDir, labelOf }: DerivedSettings) =>
  selinuxPolicyDir === undefined && labelOf === undefined;

test("without a policy nothing is labelled", async () => {
  for (const source of [{}, { base: {} }, { base: {}, booted: POLICY }]) {
    const { settings } = await read(source);
    expect(isUnlabelled(settings)).toBe(true);
    await settings.release();
  }
});

const inPolicy = (settings: DerivedSettings, path: string) =>
  readFile(join(settings.selinuxPolicyDir ?? "", "usr/etc/selinux", path), "utf8");
const CONTEXTS = "image/contexts/files/file_contexts";

test.each(["base", "booted"] as const)(
  "the policy of the %s commit is laid out for ostree",
  async (of) => {
    const { repo, settings } = await read({ [of]: POLICY });
    expect(settings.labelOf).toBeUndefined();
    expect(await inPolicy(settings, "config")).toContain("SELINUXTYPE=image\n");
    expect(await inPolicy(settings, CONTEXTS)).toContain(":usr_t:");
    expect(await inPolicy(settings, "image/policy/policy.33")).toBe("");
    await settings.release();
    expect(await readdir(join(repo, "tmp"))).toEqual([]);
  },
);

test("the base's policy counts, not that of the booted system", async () => {
  const booted = { ...POLICY, [FILE_CONTEXTS]: "/.* a:b:booted_t:s0\n" };
  const { settings } = await read({ base: POLICY, booted });
  expect(await inPolicy(settings, CONTEXTS)).toContain(":usr_t:");
});

const labelsOf = (labelOf: LabelOf | undefined, ofNewFiles?: LabelOf): LabelSource => ({
  open: async ({ name }) => {
    expect(name).toBe("targeted");
    return labelOf;
  },
  ofNewFiles: async () => ofNewFiles,
  close: () => undefined,
});

test("without a policy, layers get the label that new files have anyway", async () => {
  const ofNewFiles = () => Buffer.from("system_u:object_r:unlabeled_t:s0\0");
  for (const source of [{}, { base: {} }, { booted: {} }]) {
    const { settings } = await read({ ...source, labels: labelsOf(undefined, ofNewFiles) });
    expect(settings).toMatchObject({ labelOf: ofNewFiles, selinuxPolicyDir: undefined });
  }
});

test("where labels can be looked up, nothing is laid out", async () => {
  const labelOf = () => undefined;
  const { settings } = await read({ base: POLICY, labels: labelsOf(labelOf) });
  expect(settings).toMatchObject({ labelOf, selinuxPolicyDir: undefined });
});

test("what a policy does not label gets the label of new files, unless it is a directory", async () => {
  const [usr, fresh] = [Buffer.from("usr_t\0"), Buffer.from("unlabeled_t\0")];
  const labels = labelsOf(
    (path) => (path.startsWith("/usr") ? usr : undefined),
    () => fresh,
  );
  const { settings } = await read({ base: POLICY, labels });
  const labelOf = settings.labelOf ?? expect.unreachable();
  expect(labelOf("/usr/x", 0o100644)).toBe(usr);
  expect(labelOf("/run/x", 0o100644)).toBe(fresh);
  expect(labelOf("/run/link", 0o120777)).toBe(fresh);
  expect(labelOf("/usr", 0o040755)).toBe(usr);
  expect(labelOf("/run", 0o040755)).toBeUndefined();
});

test("where ostree writes layers, it also applies the policy, and without one new files count", async () => {
  const ofNewFiles = () => Buffer.from("unlabeled_t\0");
  const labels: LabelSource = {
    ...labelsOf(undefined, ofNewFiles),
    open: () => expect.unreachable(),
  };
  const { settings } = await read({ base: POLICY, labels, isByOstree: true });
  expect(settings.labelOf).toBeUndefined();
  expect(settings.selinuxPolicyDir).toBeDefined();
  const without = await read({ base: {}, labels, isByOstree: true });
  expect(without.settings).toMatchObject({ labelOf: ofNewFiles, selinuxPolicyDir: undefined });
});

test("where they cannot, ostree labels", async () => {
  const { settings } = await read({ base: POLICY, labels: labelsOf(undefined) });
  expect(settings.labelOf).toBeUndefined();
  expect(settings.selinuxPolicyDir).toBeDefined();
});

test("a policy that cannot be laid out leaves nothing behind", async () => {
  const repo = await makeRepository();
  const labels: LabelSource = {
    ...labelsOf(undefined),
    async open({ readFiles }) {
      // Asked for once, the contents are no longer in memory.
      await readFiles();
      await rm(join(repo, "objects"), { recursive: true });
      return undefined;
    },
  };
  await expect(read({ repo, base: POLICY, labels })).rejects.toThrow("ENOENT");
  expect(await readdir(join(repo, "tmp"))).toEqual([]);
});
