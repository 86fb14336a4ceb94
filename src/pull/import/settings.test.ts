import { access, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
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

const INITIAL_VAR = "  - initial-var\n";
const CONF = "ostree/prepare-root.conf";
const TRANSIENT = "[root]\ntransient=true\n";
const POLICY: Tree = {
  "usr/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
  "usr/etc/selinux/targeted/contexts/files/file_contexts": "/.* system_u:object_r:usr_t:s0\n",
  "usr/etc/selinux/targeted/policy/policy.33": "policy",
};

/** The settings by the trees of a base and of the booted system; `checkouts` are the policies taken out. */
async function read({ base, booted, features = INITIAL_VAR, ...more }: Source) {
  const repo = await mkdtemp(join(tmpdir(), "settings-"));
  onTestFinished(() => rm(repo, { recursive: true }));
  const checkouts: string[] = [];
  const ctx: Context = {
    ...scriptedContext(repo, []).ctx,
    async read(_program, [verb, ...args]) {
      if (verb === "--version") return `libostree:\n Version: '2024.5'\n Features:\n${features}`;
      expect(verb).toBe("checkout");
      checkouts.push(args.slice(0, -1).join(" ").replace(repo, "REPO"));
      await mkdir(args.at(-1) ?? "");
      return "";
    },
  };
  const commitOf = async (tree: Tree | undefined) => tree && (await writeCommit(repo, tree));
  const [baseCommit, policyCommit] = [await commitOf(base), await commitOf(booted)];
  const settings = await readDerivedSettings(ctx, { ...more, repo, baseCommit, policyCommit });
  return { repo, settings, checkouts, baseCommit, policyCommit };
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
    const { settings, checkouts } = await read(source);
    expect(isUnlabelled(settings)).toBe(true);
    expect(checkouts).toEqual([]);
    await settings.release();
  }
});

test.each(["base", "booted"] as const)(
  "the policy of the %s commit is taken out for ostree",
  async (of) => {
    const { repo, settings, checkouts, ...commits } = await read({ [of]: POLICY });
    const commit = of === "base" ? commits.baseCommit : commits.policyCommit;
    expect(checkouts).toEqual([`--repo=REPO --user-mode --subpath=/usr/etc/selinux ${commit}`]);
    await access(join(settings.selinuxPolicyDir ?? "", "usr/etc/selinux"));
    expect(settings.labelOf).toBeUndefined();
    await settings.release();
    expect(await readdir(join(repo, "tmp"))).toEqual([]);
  },
);

test("the base's policy counts, not that of the booted system", async () => {
  const { checkouts, baseCommit } = await read({ base: POLICY, booted: { ...POLICY, a: "b" } });
  expect(checkouts[0]).toContain(baseCommit);
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

test("where labels can be looked up, nothing is taken out", async () => {
  const labelOf = () => undefined;
  const { settings, checkouts } = await read({ base: POLICY, labels: labelsOf(labelOf) });
  expect(settings).toMatchObject({ labelOf, selinuxPolicyDir: undefined });
  expect(checkouts).toEqual([]);
});

test("where they cannot, ostree labels", async () => {
  const { settings } = await read({ base: POLICY, labels: labelsOf(undefined) });
  expect(settings.labelOf).toBeUndefined();
  expect(settings.selinuxPolicyDir).toBeDefined();
});
