// Records what is written to a disk: a file that, on its way to the real one, goes through QEMU's driver
// `blklogwrites`. docs/adr/0017-record-writes-below-a-loop-device.md says why.
import { once } from "node:events";
import { stat, truncate, writeFile } from "node:fs/promises";
import { spawnBound, waitFor } from "../vm/shell.ts";

interface RecorderFiles {
  /** What is written ends here. */
  readonly disk: string;
  readonly log: string;
  /** The file to mount; whatever was in it is hidden while the recorder runs. */
  readonly front: string;
}

export interface Recorder {
  /** How far the log has come, in bytes. Requests are served one after the other, so there is nothing in between. */
  position(): Promise<number>;
  stop(): Promise<void>;
}

export async function startRecorder({ disk, log, front }: RecorderFiles): Promise<Recorder> {
  const { size } = await stat(disk);
  await writeFile(log, "");
  await truncate(log, 0);
  await writeFile(front, "");
  // The log keeps the flushes; nobody here needs them to reach this machine's disk.
  const file = (name: string, path: string) =>
    `driver=file,node-name=${name},filename=${path},cache.no-flush=on`;
  const args = [
    ...["--blockdev", file("disk", disk), "--blockdev", file("log", log)],
    ...["--blockdev", "driver=blklogwrites,node-name=recorded,file=disk,log=log"],
    "--export",
    `type=fuse,id=front,node-name=recorded,mountpoint=${front},writable=on,growable=off`,
  ];
  const child = spawnBound("qemu-storage-daemon", args, { stdio: ["ignore", "ignore", "inherit"] });
  await waitFor("the recorder", 20_000, async () => {
    if (child.exitCode !== null) throw new Error("the recorder ended");
    return (await stat(front)).size === size || undefined;
  });
  return {
    position: async () => (await stat(log)).size,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
