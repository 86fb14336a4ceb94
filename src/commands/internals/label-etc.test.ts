import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Machine } from "../../testing/machine-fixture.ts";
import { expectRefused, machineOf, play } from "../../testing/play-verb.ts";
import type { ScriptLine } from "../../testing/scripted-context.ts";
import { labelEtcAtShutdown } from "./label-etc.ts";

const DEPLOYMENTS = "sysroot/ostree/deploy/default/deploy";
const STAGED = "83c7aa2e56ada314e20a69bc4653fb90f79934a46382a3eb771c6965b854e8c6.0";
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

test("starts nothing where it may not run", async () => {
  await expectRefused(labelEtcAtShutdown);
});
