import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Deployment } from "../host/deployment.ts";
import { decideSoftRebootObstacle } from "../host/soft-reboot.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { deploymentDir } from "./paths.ts";
import { softRebootFacts } from "./soft-reboot.ts";

const BOOTED: Deployment = {
  stateroot: "default",
  checksum: "a".repeat(64),
  serial: 0,
  bootChecksum: "kernel",
  isStaged: false,
  isBooted: true,
  isPinned: false,
  isSuperseded: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: "rw quiet ostree=/ostree/boot.0/default/kernel/0",
  softRebootObstacle: undefined,
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: undefined,
  cachedUpdate: undefined,
  problems: [],
};
const OTHER: Deployment = {
  ...BOOTED,
  checksum: "b".repeat(64),
  isBooted: false,
  bootOptions: "rw quiet ostree=/ostree/boot.0/default/kernel/1",
};

interface Host {
  /** Texts by path; those in `booted` and `other` belong to a deployment. */
  readonly files?: Readonly<Record<string, string>>;
  readonly booted?: Readonly<Record<string, string>>;
  readonly other?: Readonly<Record<string, string>>;
  readonly version?: string;
}

/** What stands in the way on a host that has all it takes, but for what the test gives. */
async function obstacle(host: Host, it: Deployment = OTHER): Promise<string | undefined> {
  const root = await mkdtemp(join(tmpdir(), "soft-reboot-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const version = ` Version: '${host.version ?? "2025.7"}'\n`;
  const { ctx } = scriptedContext(root, [["? ostree --version", version]]);
  const composefs = { "usr/lib/ostree/prepare-root.conf": "[composefs]\nenabled=yes\n" };
  const unit = { "usr/lib/systemd/system/soft-reboot.target": "" };
  await writeAll(root, host.files ?? unit);
  await writeAll(deploymentDir(ctx, BOOTED), host.booted ?? {});
  await writeAll(deploymentDir(ctx, OTHER), { ...composefs, ...host.other });
  return await decideSoftRebootObstacle(BOOTED, it, softRebootFacts(ctx));
}

async function writeAll(top: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(top, name)), { recursive: true });
    await writeFile(join(top, name), text);
  }
}

test.each([
  { version: "2022.7", want: "ostree 2022.7 is older than 2025.3" },
  { version: "2025.2", want: "ostree 2025.2 is older than 2025.3" },
  { version: "2025.3", want: undefined },
  { version: "2026.4", want: undefined },
])("ostree $version: $want", async ({ version, want }) => {
  expect(await obstacle({ version })).toBe(want);
});

test.each([
  { options: "rw ostree=x quiet", want: undefined },
  { options: undefined, want: undefined },
  { options: "rw quiet debug ostree=x", want: "its kernel arguments are different" },
  { options: "quiet rw ostree=x", want: "its kernel arguments are different" },
])("arguments `$options` beside `rw quiet`: $want", async ({ options, want }) => {
  expect(await obstacle({}, { ...OTHER, bootOptions: options })).toBe(want);
});

test("before 2025.7 ostree has to know the arguments", async () => {
  expect(await obstacle({ version: "2025.6" }, { ...OTHER, bootOptions: undefined })).toBe(
    "its kernel arguments are unknown, and ostree 2025.6 needs them",
  );
});

test("what runs, another kernel and an older systemd stand in the way", async () => {
  expect(await obstacle({}, BOOTED)).toBe("it is the running deployment");
  expect(await obstacle({}, { ...OTHER, bootChecksum: "another" })).toBe(
    "its kernel or initramfs is different",
  );
  expect(await obstacle({ files: {} })).toBe("systemd is older than 254");
});

test.each([
  { where: "its own file", other: { "usr/lib/ostree/prepare-root.conf": "[composefs]\n" } },
  { where: "its /etc", other: { "etc/ostree/prepare-root.conf": "[sysroot]\nreadonly=true\n" } },
  {
    where: "an unsure file",
    other: { "etc/ostree/prepare-root.conf": "[composefs]\nenabled=maybe" },
  },
])("without composefs in $where there is none", async ({ other }) => {
  expect(await obstacle({ other })).toBe("it does not run from composefs");
});

describe("with SELinux", () => {
  const files = {
    "usr/lib/systemd/system/soft-reboot.target": "",
    "sys/fs/selinux/enforce": "1",
  };
  const policy = (etc: string, text: string) => ({
    [`${etc}/selinux/config`]: "# how\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
    [`${etc}/selinux/targeted/policy/policy.33`]: text,
    [`${etc}/selinux/targeted/policy/policy.9`]: "old",
  });
  const DIFFERENT = "its SELinux policy is different";
  test.each([
    { what: "both the same", booted: policy("etc", "1"), other: policy("etc", "1") },
    { what: "neither any", booted: {}, other: {} },
    {
      what: "the same, before /etc is made",
      booted: policy("etc", "1"),
      other: policy("usr/etc", "1"),
    },
    {
      what: "another, before /etc is made",
      booted: policy("etc", "1"),
      other: policy("usr/etc", "2"),
      want: DIFFERENT,
    },
    {
      what: "what /etc has, not what it came from",
      booted: policy("etc", "1"),
      other: { ...policy("usr/etc", "2"), ...policy("etc", "1") },
    },
    { what: "one none", booted: policy("etc", "1"), other: {}, want: DIFFERENT },
    {
      what: "the one that ostree loads, of several that are named",
      booted: policy("etc", "1"),
      other: {
        ...policy("etc", "1"),
        "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=mls\nSELINUXTYPE= targeted \n",
      },
    },
    {
      what: "one switched off",
      booted: policy("etc", "1"),
      other: {
        ...policy("etc", "1"),
        "etc/selinux/config": "SELINUX=disabled\nSELINUXTYPE=targeted\n",
      },
      want: DIFFERENT,
    },
  ])("the policies count: $what", async ({ booted, other, want }) => {
    expect(await obstacle({ files, booted, other })).toBe(want);
  });
});
