// The verbs whose system calls are disturbed, and the machine on which each of them runs.
import type { SimulatedHost } from "../repo/simulated-boot.ts";
import { imageDir } from "./images.ts";

export interface Scenario {
  readonly about: string;
  /** Makes the machine before the verb; what it needs is on the file system under test. */
  prepare(host: SimulatedHost, executable: string): void;
  /** The verb changes back what it did, when it is run again. */
  readonly isToggle?: boolean;
  /** The verb does the same once more, when it is run again. */
  readonly isRepeatable?: boolean;
  /** A shell command, in the booted machine or, before there is one, outside. */
  command(host: SimulatedHost): { readonly words: string; readonly isBooted: boolean };
}

const booted = (words: string) => ({ words: `exec bootc ${words}`, isBooted: true });
const outside = (words: string) => ({ words: `exec bootc ${words}`, isBooted: false });

/** The image that the machine finds at `/run/os`, wherever it is booted. */
const OFFERED = "oci:/run/os";

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  pull: {
    about: "a pull into an empty repository",
    prepare: () => {},
    command: (host) => outside(pullWords(host)),
  },
  "pull-by-ostree": {
    about: "the same, where ostree writes the layers",
    prepare: (host) =>
      void host.outside(
        ...([
          "ostree",
          "config",
          `--repo=${host.repo}`,
          "set",
          "core.per-object-fsync",
          "true",
        ] as const),
      ),
    command: (host) => outside(pullWords(host)),
  },
  "pull-update": {
    about: "a pull of the next image",
    prepare: (host, executable) => run(host, executable, pullWords(host, 1)),
    command: (host) => outside(pullWords(host)),
  },
  deploy: {
    about: "`image deploy` on an empty disk",
    isRepeatable: true,
    prepare: () => {},
    command: (host) => outside(deployWords(host, 1)),
  },
  upgrade: {
    about: "`upgrade` to the next image",
    prepare: (host, executable) => {
      deployFirst(host, executable);
      offer(host, 2);
    },
    command: () => booted("upgrade --quiet"),
  },
  switch: {
    about: "`switch` to another image, with one more deployment than stays",
    prepare: (host, executable) => {
      deployFirst(host, executable);
      updateTo(host, 2);
      offer(host, 3, "other");
    },
    command: () => booted("switch --quiet --transport oci /run/other:latest"),
  },
  rollback: {
    about: "`rollback` after an update",
    isToggle: true,
    prepare: (host, executable) => {
      deployFirst(host, executable);
      updateTo(host, 2);
    },
    command: () => booted("rollback"),
  },
  cleanup: {
    about: "`internals cleanup` of an image, its layers and an unfinished download",
    prepare: (host, executable) => {
      deployFirst(host, executable);
      run(host, executable, pullWords(host, 2));
      host.outside(
        "mkdir",
        "-p",
        `${host.repo}/extensions/bootc/blobs/sha256`,
        `${host.repo}/tmp/bootc-pull-x`,
      );
      host.outside(
        "cp",
        "/etc/passwd",
        `${host.repo}/extensions/bootc/blobs/sha256/${"a".repeat(64)}`,
      );
      host.outside("cp", "/etc/passwd", `${host.repo}/tmp/bootc-pull-x/some`);
      // The first command boots.
      host.shell("true");
    },
    command: () => booted("internals cleanup"),
  },
};

const pullWords = (host: SimulatedHost, version = 2): string =>
  `internals ostree-container image pull ${host.repo} ostree-unverified-image:oci:${imageDir(version)}:latest`;

const deployWords = (host: SimulatedHost, version: number): string =>
  [
    `internals ostree-container image deploy --sysroot=${host.sysroot} --stateroot=default --karg=root=UUID=x`,
    `--imgref=ostree-unverified-image:oci:${imageDir(version)}:latest`,
    `--target-imgref=ostree-unverified-image:${OFFERED}:latest`,
  ].join(" ");

/** Makes the machine boot the first image. */
function deployFirst(host: SimulatedHost, executable: string): void {
  run(host, executable, deployWords(host, 1));
}

function run(host: SimulatedHost, executable: string, words: string): void {
  host.outside("sh", "-c", `"$0" ${words}`, executable);
}

/** The image that the booted machine gets next. */
function offer(host: SimulatedHost, version: number, name = "os"): void {
  const { status, stderr } = host.shell(`ln -sfn ${inCheckout(imageDir(version))} /run/${name}`);
  if (status !== 0) throw new Error(`the image cannot be offered: ${stderr}`);
}

function updateTo(host: SimulatedHost, version: number): void {
  offer(host, version);
  const { status, stderr } = host.bootc("upgrade --quiet");
  if (status !== 0) throw new Error(`the machine cannot be updated: ${stderr}`);
  host.reboot();
}

function inCheckout(dir: string): string {
  return `/run/checkout/${dir.slice(dir.indexOf("target/"))}`;
}
