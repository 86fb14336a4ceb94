import { chmod, mkdir, readdir, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { formatYaml } from "../format/yaml-out.ts";
import { assembleHost } from "../host/assemble-host.ts";
import { formatHumanStatus } from "../host/human-status.ts";
import { layOutMachine, type Machine } from "../testing/machine-fixture.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { readSysroot } from "./sysroot.ts";

const VERSIONS = ["2022.7", "2025.2"];
const fixture = (version: string) =>
  new URL(`fixtures/ostree-${version}-staged.json`, import.meta.url);
const read = async ({ root }: Pick<Machine, "root">) =>
  assembleHost(await readSysroot(scriptedContext(root, []).ctx));

test.each(VERSIONS)("a host with ostree %s as people, YAML and JSON have it", async (version) => {
  const host = await read(await layOutMachine(fixture(version)));
  const golden = (extension: string) => `fixtures/ostree-${version}-staged.${extension}`;
  await expect(`${formatHumanStatus(host, { isVerbose: true })}\n`).toMatchFileSnapshot(
    golden("txt"),
  );
  await expect(`${formatYaml(host)}\n`).toMatchFileSnapshot(golden("yaml"));
  await expect(`${formatCanonicalJson(host)}\n`).toMatchFileSnapshot(golden("host.json"));
});

/** What is damaged, and what of the document says so; all other entries must be as before. */
const DAMAGE: readonly {
  readonly what: string;
  readonly damage: (machine: Machine, deploy: string) => Promise<void>;
  readonly slot: "booted" | "staged" | "other";
  readonly problem: string;
}[] = [
  {
    what: "an origin that names no image we understand",
    damage: ({ booted }, deploy) =>
      writeFile(join(deploy, `${booted}.origin`), "[origin]\ncontainer-image-reference=what\n"),
    slot: "booted",
    problem: "its origin cannot be read: `what` is not an image reference",
  },
  {
    what: "a commit that is gone",
    damage: ({ root, booted }) =>
      rm(join(root, "sysroot/ostree/repo/objects", booted.slice(0, 2)), { recursive: true }),
    slot: "booted",
    problem: "its commit cannot be read: it is missing from the repository",
  },
  {
    what: "a commit that is none",
    damage: async ({ root, booted }) => {
      const name = `${booted.slice(2, 64)}.commit`;
      await writeFile(join(root, "sysroot/ostree/repo/objects", booted.slice(0, 2), name), "x");
    },
    slot: "booted",
    problem: "its commit cannot be read: ",
  },
  {
    what: "layer refs that are gone",
    damage: ({ root }) =>
      rm(join(root, "sysroot/ostree/repo/refs/heads/ostree/container/blob"), { recursive: true }),
    slot: "booted",
    problem: "the ref of its first layer is missing",
  },
  {
    what: "a staged deployment that cannot be made out",
    damage: ({ root }) => writeFile(join(root, "run/ostree/staged-deployment"), "what is this"),
    slot: "other",
    problem: "staged: ",
  },
  {
    what: "a boot entry without `ostree=`",
    damage: async ({ root }) => {
      const entries = join(root, "boot/loader/entries");
      await writeFile(join(entries, "ostree-9.conf"), "version 9\noptions root=UUID=x\n");
    },
    slot: "other",
    problem: "ostree-9.conf: it does not have a valid `ostree=` argument",
  },
  {
    what: "a boot entry that is a directory",
    damage: ({ root }) => mkdir(join(root, "boot/loader/entries/ostree-9.conf")).then(() => {}),
    slot: "other",
    problem: "ostree-9.conf: EISDIR",
  },
  {
    what: "a boot entry that leads nowhere",
    damage: ({ root }) => symlink("nowhere", join(root, "boot/loader/entries/ostree-9.conf")),
    slot: "other",
    problem: "ostree-9.conf: ENOENT",
  },
  {
    what: "a boot entry whose link cannot be followed",
    damage: async ({ root }) => {
      const options = `options ostree=/ostree/boot.0/${"x".repeat(300)}/${"0".repeat(64)}/0`;
      const path = join(root, "boot/loader/entries/ostree-9.conf");
      await writeFile(path, `version 9\n${options}\n`);
    },
    slot: "other",
    problem: "ostree-9.conf: ENAMETOOLONG",
  },
  {
    what: "a layer's ref that cannot be looked at",
    damage: async ({ root }) => {
      const dir = join(root, "sysroot/ostree/repo/refs/heads/ostree/container/blob");
      await rm(dir, { recursive: true });
      await symlink("blob", dir);
    },
    slot: "booted",
    problem: "the ref of its first layer cannot be read: ELOOP",
  },
  {
    what: "a boot entry for a deployment that is gone",
    damage: async ({ root }) => {
      const entries = join(root, "boot/loader/entries");
      const options = `options ostree=/ostree/boot.1/default/${"0".repeat(64)}/7`;
      await writeFile(join(entries, "ostree-9.conf"), `version 9\n${options}\n`);
    },
    slot: "other",
    problem: "ostree-9.conf: `/ostree/boot.1/default/",
  },
];

test.each(DAMAGE)(
  "$what is shown as such, and all else in full",
  async ({ damage, slot, problem }) => {
    const machine = await layOutMachine(fixture("2025.2"));
    const whole = await read(machine);
    await damage(machine, join(machine.root, "sysroot/ostree/deploy/default/deploy"));
    const host = await read(machine);
    const odd = slot === "other" ? host.status.otherDeployments?.at(-1) : host.status[slot];
    expect(odd?.problems?.[0]).toContain(problem);
    expect(formatHumanStatus(host, { isVerbose: false })).toContain(`Problem: ${problem}`);
    expect(host.status.booted?.ostree).toEqual(whole.status.booted?.ostree);
    if (!problem.includes("layer")) expect(host.status.rollback).toEqual(whole.status.rollback);
  },
);

test("without ostree's program only a soft reboot cannot be told", async () => {
  const machine = await layOutMachine(fixture("2025.2"));
  const whole = await read(machine);
  const unit = join(machine.root, "usr/lib/systemd/system/soft-reboot.target");
  await mkdir(dirname(unit), { recursive: true });
  await writeFile(unit, "");
  await writeFile(join(machine.root, "proc/cmdline"), "ostree.prepare-root.composefs=yes\n");
  const { ctx } = scriptedContext(machine.root, [
    ["? ostree --version", new BootcError("`ostree`: not found")],
  ]);
  const { status } = assembleHost(await readSysroot(ctx));
  expect(status.booted).toEqual(whole.status.booted);
  const problems = [status.staged, status.rollback].flatMap((it) => it?.problems ?? []);
  expect(problems).toContain(
    "checking whether it can be soft-rebooted into failed: `ostree`: not found",
  );
});

test("without a deployment directory the entry remains, with its problem", async () => {
  const machine = await layOutMachine(fixture("2022.7"));
  const whole = await read(machine);
  const { checksum } = whole.status.rollback?.ostree ?? { checksum: "" };
  await rm(join(machine.root, "sysroot/ostree/deploy/default/deploy", `${checksum}.0`), {
    recursive: true,
  });
  const { rollback } = (await read(machine)).status;
  expect(rollback?.problems).toEqual([expect.stringContaining("its directory cannot be read")]);
  expect(rollback?.image).toEqual(whole.status.rollback?.image);
});

test("rpm-ostree's groups in an origin make a deployment incompatible", async () => {
  const machine = await layOutMachine(fixture("2022.7"));
  const path = join(machine.root, `sysroot/ostree/deploy/default/deploy/${machine.booted}.origin`);
  await writeFile(path, `${await readFile(path, "utf8")}\n[packages]\nrequested=strace;\n`);
  const { booted, type } = (await read(machine)).status;
  expect([booted?.incompatible, booted?.image, type]).toEqual([true, null, null]);
});

test.each([
  {
    what: "a directory of boot entries",
    damage: async (entries: string) => {
      await rm(entries, { recursive: true });
      await symlink("entries", entries);
    },
    cause: /^ELOOP/,
  },
  {
    what: "a disk that has no boot entry left to give",
    damage: async (entries: string) => {
      for (const name of await readdir(entries)) {
        await unlink(join(entries, name));
        await symlink("/proc/self/mem", join(entries, name)); // gives EIO at its beginning
      }
    },
    cause: /^EIO/,
  },
])("$what that cannot be read is an error and no empty host", async ({ damage, cause }) => {
  const machine = await layOutMachine(fixture("2025.2"));
  await damage(join(machine.root, "boot/loader/entries"));
  const error = await read(machine).catch((it: unknown) => it);
  expect(describeError(error)).toEqual({
    kind: "failed",
    message: "the boot loader's entries in `/boot/loader/entries` cannot be read",
    causes: [expect.stringMatching(cause)],
    hint: expect.stringContaining("journalctl"),
  });
});

test("without boot entries ostree's refs give the order", async () => {
  const machine = await layOutMachine(fixture("2025.2"));
  const whole = await read(machine);
  const entries = join(machine.root, "boot/loader/entries");
  for (const name of await readdir(entries)) await unlink(join(entries, name));
  expect((await read(machine)).status.rollback).toBeNull();
  if (process.getuid?.() === 0) return; // root may read whatever the mode
  await chmod(entries, 0);
  expect((await read(machine)).status.rollback).toEqual(whole.status.rollback);
});
