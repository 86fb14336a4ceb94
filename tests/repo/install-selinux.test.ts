// Installations of an image with an SELinux policy, by which files outside deployments are labelled.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { selinuxPolicy } from "./images/selinux-policy.ts";
import {
  attach,
  bootc,
  deploymentOf,
  dir,
  missing,
  mount,
  newDisk,
  newRoot,
  sh,
  tidyUp,
} from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";

/** The type of each file, by `type path`; `?` for one without a label. */
function typesOf(top: string, ...filter: readonly string[]): ReadonlyMap<string, string> {
  // stat fails on files without a label, and prints a message instead.
  const script = 'find "$@" -exec stat --format="%n %C" {} + 2>/dev/null || true';
  const text = execFileSync("sh", ["-c", script, "sh", top, ...filter], { encoding: "utf8" });
  return new Map(
    text.split("\n").flatMap((line) => {
      const [, path = "", label = ""] = /^(.*) (\S+)$/.exec(line) ?? [];
      const [, , type] = label.split(":");
      return path === "" ? [] : [[path.slice(top.length + 1), type ?? "?"] as const];
    }),
  );
}

describe.skipIf(missing.length > 0)(
  `SELinux${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    let image: string;
    beforeAll(async () => {
      const policy = selinuxPolicy("etc").flatMap((it) =>
        it.type === undefined ? [[it.path, String(it.content)] as const] : [],
      );
      image = await makeInstallableImage(join(dir, "labelled"), {
        version: "1",
        bootupd: "new",
        files: { "usr/bin/login": "login", ...Object.fromEntries(policy) },
      });
      await writeFile(join(dir, "keys"), "ssh-ed25519 AAAA somebody\n");
    });
    afterEach(tidyUp);

    /** A root with a separate /boot, and below that a file system for another use. */
    async function newMachine(name: string): Promise<string> {
      const root = await newRoot(name);
      const boot = attach(await newDisk(`${name}-boot.raw`, 128));
      sh("mkfs.ext4", "-q", boot);
      mkdirSync(join(root, "boot"));
      const esp = attach(await newDisk(`${name}-esp.raw`, 64));
      sh("mkfs.ext4", "-q", esp);
      mkdirSync(join(mount(boot, `${name}/boot`), "efi"));
      mount(esp, `${name}/boot/efi`);
      return root;
    }

    function install(root: string, ...args: readonly string[]) {
      const keys = ["--root-ssh-authorized-keys", join(dir, "keys")];
      const common = ["--source-imgref", image, "--skip-finalize", ...keys];
      const ran = bootc("to-filesystem", ...common, ...args, root);
      expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
      return ran;
    }

    test("root, /boot and /ostree are labelled, and the image's content stays as it was", async () => {
      const root = await newMachine("machine");
      install(root);
      const types = typesOf(root);
      expect(types.get("")).toBe("root_t");
      const boot = typesOf(join(root, "boot"), "-xdev", "-not", "-path", "*/lost+found*");
      // Files of ostree, of the stand-in for a boot loader, and the mount point of the ESP.
      expect(boot.size).toBeGreaterThan(8);
      expect([...boot.keys()]).toEqual(
        expect.arrayContaining(["loader", "bootupctl.log", expect.stringMatching(/\/vmlinuz-/)]),
      );
      expect(new Set([...boot].filter(([path]) => path !== "efi").map(([, type]) => type))).toEqual(
        new Set(["boot_t"]),
      );
      // The policy has no rule for /ostree; whatever label it gives such a file, every file must have one.
      const outside = [...types].filter(
        ([path]) =>
          path.startsWith("ostree/") &&
          !/^ostree\/deploy\/default\/(deploy\/.+|var\/.*)$/.test(path) &&
          !path.endsWith(".file"),
      );
      expect(outside.length).toBeGreaterThan(30);
      expect(outside.filter(([, type]) => type !== "default_t")).toEqual([
        ["ostree/deploy/default/var", "var_t"],
      ]);
      const kept = [...types].filter(([path]) => path.startsWith("ostree/deploy/default/var/"));
      expect(kept.length).toBeGreaterThan(3);
      expect(kept.filter(([, type]) => type === "?")).toEqual([]);
      expect(types.get(".bootc-aleph.json")).not.toBe("?");
      expect(types.get("boot/efi/lost+found")).toBe("?");

      const deployment = deploymentOf(root);
      const inside = typesOf(deployment);
      expect(inside.get("etc/fstab")).toBe("etc_t");
      expect(inside.get("etc/tmpfiles.d/bootc-root-ssh.conf")).toBe("etc_t");
      expect(inside.get("usr/bin/login")).toBe("login_exec_t");
      // A label on a content object would turn it into another object.
      sh("ostree", "fsck", "--quiet", `--repo=${root}/ostree/repo`);
    });

    test("without a separate /boot, kernels that are content of the repository stay unchanged", async () => {
      const root = await newRoot("one-file-system");
      install(root);
      expect(typesOf(join(root, "boot")).get("loader")).toBe("boot_t");
      sh("ostree", "fsck", "--quiet", `--repo=${root}/ostree/repo`);
    });

    test("--disable-selinux: nothing is labelled outside the image, and the kernel is told", async () => {
      const root = await newMachine("off");
      const { stderr } = install(root, "--disable-selinux");
      expect(stderr).toContain("notice: Target has SELinux enabled, overriding to disable\n");
      const boot = typesOf(join(root, "boot"), "-xdev");
      expect(new Set(boot.values())).toEqual(new Set(["?"]));
      expect(sh("grep", "-r", "options", join(root, "boot/loader/entries"))).toContain("selinux=0");
    });
  },
);
