// Deployments whose refs were lost, with a clean-up that removes every object that no ref leads to.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deploy, type StoredImage, storeImage } from "./deployed-images.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

describe.skipIf(missing).each(simulatedOstrees)("lost refs on ostree $version", (version) => {
  let host: SimulatedHost;
  let image: StoredImage;
  beforeEach(() => {
    host = makeHost(version);
    image = storeImage(host, "os", { version: "1" });
    deploy(host, image, ["root=UUID=x"]);
  });
  afterEach(() => host?.remove());

  const refs = () => host.outside("ostree", "refs", `--repo=${host.repo}`).split("\n").sort();
  const refsBelow = (prefix: string) => refs().filter((it) => it.startsWith(`${prefix}/`));
  const prune = (...words: readonly string[]) => {
    const verb = ["internals", "ostree-container", "image", ...words];
    const { status, stdout, stderr } = host.bootcOutside(...verb);
    expect(status, stderr).toBe(0);
    return stdout;
  };
  /** Loses the refs of the deployment, and of the image that it follows. */
  const lose = () => {
    for (const it of ["0", "1", "container/image"]) {
      rmSync(join(host.repo, "refs/heads/ostree", it), { recursive: true, force: true });
    }
  };
  const requireWhole = () => {
    const dir = join(host.sysroot, "checked");
    host.outside("ostree", "checkout", `--repo=${host.repo}`, "--user-mode", image.commit, dir);
    expect(existsSync(join(dir, "usr/share/version"))).toBe(true);
  };

  test("every object and layer of the deployment stays, until ostree has made the refs anew", () => {
    const before = refs();
    lose();
    storeImage(host, "other", { version: "2" });
    expect(prune("prune-images", "--sysroot", host.sysroot, "--full")).toMatch(
      /^Removed images: 1\nRemoved layers: 1\nRemoved objects: [1-9]/,
    );
    requireWhole();
    expect(refsBelow("ostree/container/blob")).toHaveLength(1);
    expect(refsBelow("ostree/container/baseimage")).toEqual(["ostree/container/baseimage/bootc/0"]);
    host.outside("ostree", "admin", "cleanup", `--sysroot=${host.sysroot}`);
    prune("prune-images", "--sysroot", host.sysroot, "--full");
    expect(refs()).toEqual(before.filter((it) => !it.startsWith("ostree/container/image/")));
    host.outside("ostree", "fsck", `--repo=${host.repo}`, "--quiet");
  });

  test("a clean-up of layers alone keeps those of the deployment", () => {
    lose();
    expect(prune("prune-layers", "--repo", host.repo)).toBe("Removed layers: 0\n");
  });
});
