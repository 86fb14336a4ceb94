// A clean-up that is killed while ostree removes objects.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deploy, storeImage } from "./deployed-images.ts";
import { makeHost, missing, type SimulatedHost, simulatedOstrees } from "./simulated-boot.ts";

const missingStrace = spawnSync("strace", ["-V"]).status === 0 ? undefined : "no strace";
const reason = missing ?? missingStrace;

describe.skipIf(reason).each(simulatedOstrees)("killed clean-ups on ostree $version", (version) => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = makeHost(version);
    deploy(host, storeImage(host, "os", { version: "1" }), ["root=UUID=x"]);
  });
  afterEach(() => host?.remove());

  /** The environment in which a prune that removes more than commits is killed at its `n`th removal. */
  function killedAtRemoval(n: number) {
    const bin = join(host.sysroot, `killing-${n}`);
    mkdirSync(bin);
    const strace = `strace -qq -f -o /dev/null -e inject=unlinkat:signal=KILL:when=${n}`;
    const lines = [
      "#!/bin/sh",
      `PATH=\${PATH#*:}`,
      `case " $* " in *" --commit-only "*) ;; *" prune "*) exec ${strace} ostree "$@" ;; esac`,
      `exec ostree "$@"`,
    ];
    writeFileSync(join(bin, "ostree"), `${lines.join("\n")}\n`, { mode: 0o755 });
    return { PATH: `${bin}:${version.env.PATH}` };
  }

  test("leave no commit without its objects, and the next one gets there", () => {
    const words = ["internals", "ostree-container", "image", "prune-images", "--full"];
    const prune = (env: Readonly<Record<string, string>>) =>
      host.bootcOutsideWith(env, ...words, "--sysroot", host.sysroot);
    for (const n of [1, 2, 3, 5, 8, 13]) {
      storeImage(host, "other", { version: String(n + 1) });
      expect(prune(killedAtRemoval(n)).status).not.toBe(0);
      host.outside("ostree", "fsck", `--repo=${host.repo}`, "--quiet");
    }
    const { status, stdout } = prune({});
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Removed objects: [1-9]/m);
    host.outside("ostree", "fsck", `--repo=${host.repo}`, "--quiet");
  });
});
