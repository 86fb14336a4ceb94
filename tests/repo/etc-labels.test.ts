// `/etc` of deployments of images with an SELinux policy, made where SELinux is off: everything has a label.
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { openLibc } from "../../src/native/libc.ts";
import { isDoorShut } from "./door.ts";
import { selinuxPolicy } from "./images/selinux-policy.ts";
import { bootcWith, deploymentOf, dir, missing, newRoot, sh, tidyUp } from "./install-lab.ts";
import { makeInstallableImage } from "./installable-image.ts";
import { machineOstree, type OstreeVersion, sidOstree, trixieOstree } from "./ostree-versions.ts";
import { makeHost, missing as missingBoot } from "./simulated-boot.ts";

/** Labels of everything in the `/etc` of a deployment, `?` for none. */
function etcLabels(deployment: string): readonly (readonly [path: string, label: string])[] {
  const paths = sh("find", join(deployment, "etc"), "-print0").split("\0").slice(0, -1);
  const listed = sh("ls", "-dUZ", "--quoting-style=c", ...paths);
  const lines = listed.trimEnd().split("\n");
  return lines.map((line, i) => {
    const [label = ""] = line.trim().split(" ");
    return [(paths[i] ?? "").slice(deployment.length + 1), label];
  });
}

const unlabelled = (deployment: string) =>
  etcLabels(deployment).flatMap(([path, label]) => (label === "?" ? [path] : []));

const versions: readonly (() => OstreeVersion)[] = [machineOstree, trixieOstree, sidOstree];

// Only libselinux finds labels, and it is called through the door.
describe
  .skipIf(isDoorShut || missing.length > 0)
  .each(versions.map((it) => [it.name, it] as const))("with %s", (_, start) => {
  let ostree: OstreeVersion;
  let image: string;
  let next: string;
  beforeAll(async () => {
    ostree = start();
    const policy = selinuxPolicy("etc").flatMap((it) =>
      it.type === undefined ? [[it.path, String(it.content)] as const] : [],
    );
    const make = (version: string, more: Record<string, string>) =>
      makeInstallableImage(join(dir, `${ostree.version}-${version}`), {
        version,
        bootupd: "new",
        // ostree has it rebuild the policy where /etc was changed.
        scripts: { "usr/sbin/semodule": "#!/bin/sh\n" },
        files: { ...Object.fromEntries(policy), ...more },
        links: { "etc/a/link": "nowhere", "etc/os-release": "../usr/lib/os-release" },
      });
    const files = Array.from({ length: 300 }, (_, i) => [`etc/a/${i}/file`, `${i}`] as const);
    image = await make("1", { "etc/shadow": "root", ...Object.fromEntries(files) });
    next = await make("2", { "etc/shadow": "root", "etc/b/c/d": "new" });
  });
  afterEach(tidyUp);

  const bootc = (...args: string[]) => bootcWith({ PATH: ostree.env.PATH ?? "" }, ...args);

  test("after an installation", async () => {
    const root = await newRoot("etc-installed");
    const ran = bootc("to-filesystem", "--source-imgref", image, "--skip-finalize", root);
    expect([ran.status, ran.stderr]).toEqual([0, expect.stringContaining("complete")]);
    const labels = etcLabels(deploymentOf(root));
    expect(labels.length).toBeGreaterThan(600);
    expect(labels.filter(([, label]) => label === "?")).toEqual([]);
    const typeOf = new Map(labels.map(([path, label]) => [path, label.split(":")[2]]));
    expect(typeOf.get("etc")).toBe("etc_t");
    expect(typeOf.get("etc/a/link")).toBe("etc_t");
    sh("ostree", "fsck", "--quiet", `--repo=${root}/ostree/repo`);
  });

  test("after deployments by `image deploy`, local changes included", async () => {
    const sysroot = await newRoot("etc-deployed");
    const ostreeAdmin = (...args: string[]) =>
      execFileSync("ostree", ["admin", ...args], { env: ostree.env, stdio: "pipe" });
    ostreeAdmin("init-fs", "--modern", sysroot);
    ostreeAdmin("os-init", `--sysroot=${sysroot}`, "default");
    deploy(sysroot, image);
    const first = deploymentOf(sysroot);
    expect(unlabelled(first)).toEqual([]);
    appendFileSync(join(first, "etc/shadow"), "local");
    mkdirSync(join(first, "etc/local/deep"), { recursive: true });
    symlinkSync("nowhere", join(first, "etc/local/link"));
    appendFileSync(join(first, "etc/local/line\nend"), "local");
    deploy(sysroot, next);
    const deploys = join(sysroot, "ostree/deploy/default/deploy");
    const second = readdirSync(deploys)
      .filter((it) => it.endsWith(".0"))
      .map((it) => join(deploys, it))
      .find((it) => it !== first);
    expect(readdirSync(join(second ?? "", "etc/local"))).toContain("deep");
    expect(unlabelled(second ?? "")).toEqual([]);
  });

  test.skipIf(missingBoot !== undefined)("after an update that was staged", async () => {
    const host = makeHost(ostree);
    try {
      deploy(host.sysroot, next);
      host.shell("mkdir -p /etc/local/deep && ln -s nowhere /etc/local/link");
      // As editors and passwd(1) replace a file: what comes instead has no label here.
      host.shell("cp /etc/shadow /etc/new && echo local >> /etc/new && mv /etc/new /etc/shadow");
      host.shell("touch /etc/fstab");
      // As an update left it whose policy had another rule, and that did not succeed.
      const own = join(host.sysroot, "ostree/deploy/default/deploy", host.booted(), "etc/local");
      const wrong = Buffer.from("system_u:object_r:usr_t:s0\0");
      openLibc()?.setXattr(own, "security.selinux", wrong);
      const [, layout = ""] = image.split(":");
      cpSync(layout, join(host.sysroot, "image"), { recursive: true });
      const switched = host.bootc("switch --transport oci /sysroot/image");
      expect([switched.status, switched.stderr]).toEqual([0, expect.anything()]);
      // As a run leaves it that is killed between staging and labelling: the next one labels.
      const deploys = join(host.sysroot, "ostree/deploy/default/deploy");
      const names = readdirSync(deploys).filter((it) => it.endsWith(".0"));
      const staged = join(deploys, names.find((it) => it !== host.booted()) ?? "");
      openLibc()?.removeXattr(join(staged, "etc/a"), "security.selinux");
      expect(unlabelled(staged)).toEqual(["etc/a"]);
      const again = host.bootc("switch --transport oci /sysroot/image");
      expect([again.status, again.stdout]).toEqual([0, expect.stringContaining("unchanged")]);
      expect(unlabelled(staged)).toEqual([]);
      host.finalize();
      // The new system is the default now, and would boot after a power cut.
      expect(readdirSync(join(staged, "etc/local"))).toContain("deep");
      expect(unlabelled(staged)).toEqual([]);
      // As the image's `semodule` may do when ostree finalizes.
      openLibc()?.removeXattr(join(staged, "etc/selinux/config"), "security.selinux");
      const labelled = host.bootc("internals label-etc");
      expect([labelled.status, labelled.stderr]).toEqual([0, ""]);
      host.reboot();
      const booted = join(host.sysroot, "ostree/deploy/default/deploy", host.booted());
      expect(booted).toBe(staged);
      expect(readdirSync(join(booted, "etc/a")).length).toBeGreaterThan(300);
      expect(readFileSync(join(booted, "etc/shadow"), "utf8")).toBe("rootlocal\n");
      const labels = new Map(etcLabels(booted));
      const added = ["local", "local/deep", "local/link", "fstab", "shadow"];
      const types = added.map((it) => labels.get(`etc/${it}`)?.split(":")[2]);
      expect(types).toEqual(["etc_t", "etc_t", "etc_t", "etc_t", "shadow_t"]);
      expect(unlabelled(booted)).toEqual([]);
    } finally {
      host.remove();
    }
  });

  function deploy(sysroot: string, imgref: string): void {
    const words = ["internals", "ostree-container", "image", "deploy", "--sysroot", sysroot];
    const entry = join(import.meta.dirname, "../../src/entry.ts");
    const args = [entry, ...words, "--imgref", `ostree-unverified-image:${imgref}`];
    execFileSync(process.execPath, args, { env: ostree.env, stdio: "pipe" });
  }
});
