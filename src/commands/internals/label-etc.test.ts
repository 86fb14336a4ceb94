import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Context } from "../../system/context.ts";
import type { Machine } from "../../testing/machine-fixture.ts";
import { expectRefused, machineOf, play } from "../../testing/play-verb.ts";
import { type ScriptLine, scriptedContext } from "../../testing/scripted-context.ts";
import { labelEtcAtShutdown } from "./label-etc.ts";

const DEPLOYMENTS = "sysroot/ostree/deploy/default/deploy";
const STAGED = "83c7aa2e56ada314e20a69bc4653fb90f79934a46382a3eb771c6965b854e8c6.0";
/** What is staged with ostree 2022.7, which has the lock in a file. */
const STAGED_OLD = "cc1bc11bebfb04d299c3dee584fd5ef128f8ea5af5b8e4156d30f14e707d4fcb.0";
const ROLLBACK = "b34a53cf167d4126c076b74e421ea67396041c4fc5364e539a15a3fb2f1ce627.0";

/** A machine with something staged, each of whose deployments has a policy. */
async function machineWithPolicies(): Promise<Machine> {
  const machine = await machineOf("2025.2");
  for (const name of [machine.booted, STAGED, ROLLBACK]) {
    const dir = join(machine.root, DEPLOYMENTS, name, "etc/selinux");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, "config"), "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
  }
  return machine;
}

const unstage = ({ root }: Machine) => rm(join(root, "run/ostree/staged-deployment"));

/** Makes the former system boot next, as if it had just been finalized. */
async function putRollbackFirst({ root }: Machine): Promise<void> {
  const entry = join(root, "boot/loader.0/entries/ostree-1.conf");
  const text = await readFile(entry, "utf8");
  await writeFile(entry, text.replace("version 1\n", "version 3\n"));
}

test("looks for files without labels in the deployment that boots next", async () => {
  const machine = await machineWithPolicies();
  await unstage(machine);
  await putRollbackFirst(machine);
  const etc = `ROOT/${DEPLOYMENTS}/${ROLLBACK}/etc`;
  const files = `${etc} ${etc}/selinux ${etc}/selinux/config`;
  const labels = `${"system_u:object_r:etc_t:s0 x\n".repeat(3)}`;
  const script: readonly ScriptLine[] = [
    [`? ls --directory -U --context --quoting-style=c -- ${files}`, labels],
  ];
  expect(await play(machine, script, labelEtcAtShutdown)).not.toContain("error");
});

test.each<[string, (machine: Machine) => Promise<void>]>([
  ["ostree has not finalized the staged deployment", putRollbackFirst],
  ["the running system boots next", unstage],
  [
    "SELinux is on",
    async (machine) => {
      await unstage(machine);
      await putRollbackFirst(machine);
      await mkdir(join(machine.root, "sys/fs/selinux"), { recursive: true });
      await writeFile(join(machine.root, "sys/fs/selinux/enforce"), "0");
    },
  ],
])("changes nothing when %s", async (_when, prepare) => {
  const machine = await machineWithPolicies();
  await prepare(machine);
  expect(await play(machine, [], labelEtcAtShutdown)).toBe("\n\n");
});

describe("before the merge", () => {
  const CONTEXTS = "selinux/targeted/contexts/files";
  const label = (ctx: Context) => labelEtcAtShutdown(ctx, { beforeMerge: true });

  /** What ostree copies from, and a policy that only the staged deployment has. */
  async function machineWithNewPolicy() {
    const machine = await machineOf("2022.7");
    await rm(join(machine.root, "run/ostree/staged-deployment-locked"));
    const [staged, booted] = [STAGED_OLD, machine.booted].map((it) =>
      join(machine.root, DEPLOYMENTS, it),
    ) as [string, string];
    await mkdir(join(staged, "etc/selinux"), { recursive: true });
    await writeFile(join(staged, "etc/selinux/config"), "SELINUXTYPE=targeted\n");
    await mkdir(join(booted, "etc/own"), { recursive: true });
    for (const top of ["etc", "usr/etc"]) {
      await mkdir(join(booted, top, CONTEXTS), { recursive: true });
      await writeFile(join(booted, top, "selinux/config"), "SELINUX=disabled\n");
      await writeFile(join(booted, top, CONTEXTS, "file_contexts"), "/.* etc_t\n");
    }
    return { ...machine, booted: { dir: booted, name: machine.booted } };
  }

  test.each<[string, Readonly<Record<string, string>>]>([
    ["the image has no rules of its own", {}],
    ["it has some", { etc: "/x etc_t\n", "usr/etc": "/x etc_t\n" }],
    ["there is a file for them with comments alone", { etc: "# by libsemanage\n\n" }],
  ])(
    "compares the labels of what ostree copies from with the image's, when %s",
    async (_when, rules) => {
      const { root, booted } = await machineWithNewPolicy();
      for (const [top, text] of Object.entries(rules)) {
        await writeFile(join(booted.dir, top, CONTEXTS, "file_contexts.local"), text);
      }
      const deployment = `ROOT/${DEPLOYMENTS}/${booted.name}`;
      const { ctx, transcript } = scriptedContext(root, []);
      await expect(label(ctx)).rejects.toThrow("nothing more");
      const [, listed = ""] = transcript().trim().split(" --quoting-style=c -- ");
      const files = listed.split(" ");
      expect(files).toContain(`${deployment}/etc/own`);
      expect(files).not.toContain(`${deployment}/usr/etc/own`);
      expect(files).toContain(`${deployment}/usr/etc/selinux/config`);
    },
  );

  test("compares links themselves, wherever they lead, and nothing behind them", async () => {
    const { root, booted } = await machineWithNewPolicy();
    for (const top of ["etc", "usr/etc"]) {
      await symlink("loop", join(booted.dir, top, "loop"));
      await symlink("../usr/share/zoneinfo/UTC", join(booted.dir, top, "localtime"));
    }
    // The machine has put a directory in the place of a link.
    await mkdir(join(booted.dir, "etc/replaced"));
    await writeFile(join(booted.dir, "etc/replaced/own"), "");
    await symlink("replaced", join(booted.dir, "usr/etc/replaced"));
    const deployment = `ROOT/${DEPLOYMENTS}/${booted.name}`;
    const { ctx, transcript } = scriptedContext(root, []);
    await expect(label(ctx)).rejects.toThrow("nothing more");
    const files = transcript().trim().split(" ");
    for (const name of ["loop", "localtime", "replaced"]) {
      expect(files).toContain(`${deployment}/usr/etc/${name}`);
    }
    expect(files).not.toContain(`${deployment}/usr/etc/replaced/own`);
  });

  test.each<[string, (dir: string, root: string) => Promise<void>]>([
    [
      "somebody has made one path equivalent to another by `semanage fcontext`",
      (dir) => writeFile(join(dir, "etc", CONTEXTS, "file_contexts.subs"), "/etc/own /etc\n"),
    ],
    [
      "the machine has dropped an equivalence of the image",
      (dir) =>
        writeFile(join(dir, "usr/etc", CONTEXTS, "file_contexts.subs_dist"), "/run /var/run\n"),
    ],
    [
      "somebody has run `semanage fcontext`",
      (dir) => writeFile(join(dir, "etc", CONTEXTS, "file_contexts.local"), "/x etc_t\n"),
    ],
    [
      "a module of policy was installed",
      (dir) => writeFile(join(dir, "etc", CONTEXTS, "file_contexts"), "/.* other_t\n"),
    ],
    [
      "the machine has a policy of its own choice",
      (dir) => writeFile(join(dir, "etc/selinux/config"), "SELINUXTYPE=mls\n"),
    ],
    [
      "the staged deployment is locked",
      (_, root) => writeFile(join(root, "run/ostree/staged-deployment-locked"), ""),
    ],
    ["nothing is staged", (_, root) => rm(join(root, "run/ostree/staged-deployment"))],
    [
      "the staged deployment has no policy",
      (_, root) => rm(join(root, DEPLOYMENTS, STAGED_OLD, "etc/selinux/config")),
    ],
  ])("changes nothing when %s", async (_when, prepare) => {
    const { root, booted } = await machineWithNewPolicy();
    await prepare(booted.dir, root);
    expect(await play({ root, booted: booted.name }, [], label)).toBe("\n\n");
  });
});

test("starts nothing where it may not run", async () => {
  await expectRefused(labelEtcAtShutdown);
});
