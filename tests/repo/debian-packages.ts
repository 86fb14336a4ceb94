// Packages of another version of Debian, unpacked beside the system.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface WantedPackages {
  readonly suite: string;
  readonly packages: readonly string[];
  /** Whether what they depend on is left out. */
  readonly isAlone?: boolean;
}

/** Unpacks packages and what they depend on into the new directory `root`. Nothing is configured or run. */
export function unpackPackages(root: string, wanted: WantedPackages): void {
  const { suite, packages, isAlone = false } = wanted;
  const work = `${root}.work`;
  rmSync(work, { recursive: true, force: true });
  try {
    mkdirSync(root);
    mkdirSync(work);
    const script = join(work, "script");
    writeFileSync(script, scriptFor(packages));
    const target = join(work, "target");
    const usualMirror = "";
    execFileSync("debootstrap", ["--download-only", suite, target, usualMirror, script], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const archives = join(target, "var/cache/apt/archives");
    for (const name of readdirSync(archives).filter((it) => it.endsWith(".deb"))) {
      if (isAlone && !packages.includes(name.split("_", 1)[0] ?? "")) continue;
      execFileSync("dpkg-deb", ["--extract", join(archives, name), root]);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Replaces debootstrap's own script for a suite. */
function scriptFor(packages: readonly string[]): string {
  return `mirror_style release
download_style apt
finddebs_style from-indices
variants -
keyring /usr/share/keyrings/debian-archive-keyring.gpg
work_out_debs () { required="${packages.join(" ")}"; base=; }
`;
}
