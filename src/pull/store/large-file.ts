// A file written on other threads while its content still arrives; it gets its name when it is whole.
import { closeSync, openSync, renameSync, write } from "node:fs";
import { promisify } from "node:util";
import { removeFileSync } from "../../system/files.ts";

const writeAt = promisify(write);

export interface LargeFile {
  append(piece: Buffer): void;
  /** Calls `finish` when all was written, then gives the file its name. Without a path it is removed. */
  end(path: string | undefined, finish: (fd: number) => void): void;
}

/** All files being written, so that no more content waits than memory has room for. */
export interface LargeFiles {
  create(temporary: string): LargeFile;
  /** Resolves when little waits to be written; throws what went wrong with any file so far. */
  drain(): Promise<void>;
  /** Resolves when what waits by now is done, whatever went wrong. */
  settle(): Promise<void>;
}

const WAITING_BYTES_MAX = 4 << 20;

export function createLargeFiles(): LargeFiles {
  let waitingBytes = 0;
  const failures: unknown[] = [];
  const working = new Set<Promise<void>>();

  function create(temporary: string): LargeFile {
    const fd = openSync(temporary, "wx", 0o600);
    let position = 0;
    let last: Promise<void> = Promise.resolve();
    let isFailed = false;

    /** One after another; after a failure nothing but the end. */
    function enqueue(work: () => Promise<void> | void): void {
      const before = last;
      const next = (async () => {
        await before;
        try {
          await work();
        } catch (error) {
          isFailed = true;
          failures.push(error);
        }
      })();
      last = next;
      working.add(next);
      void next.then(() => working.delete(next));
    }

    return {
      append(piece) {
        const at = position;
        position += piece.length;
        waitingBytes += piece.length;
        enqueue(async () => {
          try {
            for (let done = 0; done < piece.length && !isFailed; ) {
              const left = piece.length - done;
              done += (await writeAt(fd, piece, done, left, at + done)).bytesWritten;
            }
          } finally {
            waitingBytes -= piece.length;
          }
        });
      },
      end(path, finish) {
        enqueue(() => {
          let isNamed = false;
          try {
            if (path === undefined || isFailed) return;
            finish(fd);
            renameSync(temporary, path);
            isNamed = true;
          } finally {
            closeSync(fd);
            if (!isNamed) removeFileSync(temporary);
          }
        });
      },
    };
  }

  return {
    create,
    async drain() {
      while (waitingBytes > WAITING_BYTES_MAX) await Promise.race(working);
      if (failures.length > 0) throw failures[0];
    },
    async settle() {
      await Promise.all(working);
    },
  };
}
