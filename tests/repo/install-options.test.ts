// How options affect the result of an installation.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  attach,
  bootc,
  deploymentOf,
  dir,
  entryOf,
  missing,
  mount,
  newDisk,
  newRoot,
  sh,
  TOP,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

/** A process 1 whose SELinux claims to enforce a policy. */
const ENFORCING = `mount -t tmpfs tmpfs /sys/fs && mkdir /sys/fs/selinux || exit 99
echo 1 > /sys/fs/selinux/enforce
"$@"
status=$?
echo "enforce $(cat /sys/fs/selinux/enforce)"
exit $status
`;

describe.skipIf(missing.length > 0)(
  `install options${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;

    beforeAll(async () => {
      image = await makeInstallableImage(join(dir, "options"), { version: "1" });
    });
    afterEach(tidyUp);

    const install = (verb: string, ...args: readonly string[]) =>
      bootc(verb, "--source-imgref", image, "--bootloader", "none", ...args);
    const originOf = (root: string) =>
      /^container-image-reference=(.*)$/m.exec(
        readFileSync(`${deploymentOf(root)}.origin`, "utf8"),
      )?.[1];

    test("--boot-mount-spec, --target-transport and --enforce-container-sigpolicy are kept", async () => {
      const root = await newRoot("kept");
      const options = ["--boot-mount-spec", "UUID=77 /boot ext4 nodev"];
      const target = ["--target-transport", "containers-storage", "--enforce-container-sigpolicy"];
      const ran = install("to-filesystem", ...options, ...target, root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(originOf(root)).toBe(
        `ostree-image-signed:containers-storage:${image.replace(/^oci:/, "")}`,
      );
      expect(entryOf(root)).toMatch(/^options root=UUID=\S+ rw boot=UUID=77 ostree=/m);
      const fstab = readFileSync(join(deploymentOf(root), "etc/fstab"), "utf8");
      expect(fstab).toBe("UUID=77 /boot ext4 nodev,ro 0 0\n");
    });

    test("--boot-mount-spec may be empty; a source that is named is followed", async () => {
      const root = await newRoot("empty-spec");
      sh("mkdir", join(root, "boot"));
      const bootDevice = attach(await newDisk("empty-boot.raw", 64));
      sh("mkfs.ext4", "-q", bootDevice);
      mount(bootDevice, "empty-spec/boot");
      const ran = install("to-filesystem", "--boot-mount-spec", "", root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(originOf(root)).toBe(`ostree-unverified-image:${image}`);
      expect(entryOf(root)).not.toContain("boot=UUID");
      expect(existsSync(join(deploymentOf(root), "etc/fstab"))).toBe(false);
    });

    test("--run-fetch-check requires the target to exist before anything is written", async () => {
      const root = await newRoot("checked");
      const args = ["--run-fetch-check", "--target-transport", "oci", "--target-imgref"];
      const before = sh("find", root);
      const ran = install("to-filesystem", ...args, join(dir, "nowhere:latest"), root);
      expect(ran.status).not.toBe(0);
      expect(ran.stderr).toContain("error: checking that the target image can be fetched: ");
      expect(sh("find", root)).toBe(before);
      const there = install("to-filesystem", ...args, image.replace(/^oci:/, ""), root);
      expect([there.status, there.stderr]).toEqual([0, expect.stringContaining("complete")]);
    });

    test("--replace wipe stops at mounts inside, and says where", async () => {
      const root = await newRoot("mounted-inside");
      await writeFile(join(root, "old"), "old");
      sh("mkdir", join(root, "data"));
      const inside = attach(await newDisk("inside.raw", 64));
      sh("mkfs.ext4", "-q", inside);
      const data = mount(inside, "mounted-inside/data");
      const before = sh("find", root);
      const ran = install("to-filesystem", "--replace", "wipe", root);
      expect([ran.status, ran.stderr]).toEqual([
        9,
        expect.stringContaining(`\`${data}\` is mounted inside the root to be wiped`),
      ]);
      expect(sh("find", root)).toBe(before);
    });

    test.each([
      ["with --cleanup a stamp asks the first boot for it", ["--cleanup"], true],
      ["without, there is none", [], false],
    ])("to-existing-root: %s", async (_about, args, want) => {
      const root = await newRoot("cleanup");
      await writeFile(join(root, "old"), "old");
      const ran = install("to-existing-root", ...args, root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      expect(existsSync(join(root, "etc/bootc-destructive-cleanup"))).toBe(want);
      expect(readFileSync(join(root, "old"), "utf8")).toBe("old");
    });

    test("a machine that enforces a policy is refused, or made permissive meanwhile", async () => {
      const bin = join(dir, "selinux-bin");
      mkdirSync(bin, { recursive: true });
      await writeFile(join(bin, "chcon"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
      const root = await newRoot("enforcing");
      const onEnforcing = (env: Readonly<Record<string, string>>) => {
        const words = ["to-filesystem", "--source-imgref", image, "--bootloader", "none", root];
        const bootc = [process.execPath, join(TOP, "src/entry.ts"), "install", ...words];
        const unshare = ["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", ENFORCING, "sh"];
        return spawnSync("unshare", [...unshare, ...bootc], {
          encoding: "utf8",
          env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, ...env },
        });
      };
      const before = sh("find", root);
      const refused = onEnforcing({});
      expect([refused.status, refused.stdout]).toEqual([3, "enforce 1\n"]);
      expect(refused.stderr).toContain("hint: set `BOOTC_SETENFORCE0_FALLBACK=1`");
      expect(sh("find", root)).toBe(before);
      const ran = onEnforcing({ BOOTC_SETENFORCE0_FALLBACK: "1" });
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("is permissive until")]);
      expect(ran.stdout).toBe("enforce 1\n");
    });

    test.each([
      ["dos", "Installing to `dos` format partitions is not recommended"],
      ["gpt", undefined],
    ])("a root in a partition table of the kind %s", async (label, warning) => {
      const path = await newDisk(`${label}.raw`, 512);
      sh("sh", "-c", 'echo ",,L" | sfdisk --quiet --label "$1" "$2"', "sh", label, path);
      const disk = attach(path, "--partscan");
      if (!existsSync(`${disk}p1`)) sh("partx", "--update", disk);
      sh("mkfs.ext4", "-q", `${disk}p1`);
      const root = mount(`${disk}p1`, `table-${label}`);
      sh("rmdir", join(root, "lost+found"));
      const ran = install("to-filesystem", root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      if (warning === undefined) expect(ran.stderr).not.toContain("warning: ");
      else expect(ran.stderr).toContain(`warning: ${warning}\n`);
    });
  },
);
