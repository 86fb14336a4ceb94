// A pipe to a reader that may be slow or gone: lines wait, outdated ones are dropped, our work goes on.
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";

export interface PipeLine {
  readonly text: string;
  /** Supersedes earlier snapshots: only the newest queued one is kept. */
  readonly isSnapshot: boolean;
}

export interface LinePipe {
  write(line: PipeLine): void;
  /** Closes the pipe once the reader has taken all queued lines (true), or after `timeoutMs` (false). */
  finish(timeoutMs: number): Promise<boolean>;
}

/**
 * Writes to the pipe behind `descriptor` through an open file of our own: a full pipe does not block us, and
 * others who share the descriptor see no change. `onBroken` is called once, when the reader is gone.
 */
export function openLinePipe(
  descriptor: number,
  { onBroken }: { readonly onBroken: (error: Error) => void },
): LinePipe {
  let socket: Socket | undefined;
  let waiting: readonly PipeLine[] = [];
  let isWriting = false;
  let isOver = false;
  let onIdle: () => void = () => undefined;
  const fail = (error: Error) => {
    if (isOver) return;
    isOver = true;
    onBroken(error);
    onIdle();
  };
  const pump = (to: Socket) => {
    if (isWriting || isOver) return;
    const [next, ...rest] = waiting;
    if (next === undefined) return onIdle();
    waiting = rest;
    isWriting = true;
    to.write(`${next.text}\n`, (error) => {
      isWriting = false;
      if (!error) pump(to);
    });
  };
  return {
    write(line) {
      if (isOver) return;
      const isOutdated = line.isSnapshot && waiting.at(-1)?.isSnapshot === true;
      waiting = [...(isOutdated ? waiting.slice(0, -1) : waiting), line];
      try {
        socket ??= connect(descriptor, fail);
      } catch (cause) {
        return fail(cause instanceof Error ? cause : new Error(String(cause)));
      }
      pump(socket);
    },
    async finish(timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      onIdle = () => resolve(true);
      const timer = setTimeout(() => resolve(false), timeoutMs);
      if (isOver || (!isWriting && waiting.length === 0)) onIdle();
      const wasTaken = await promise;
      clearTimeout(timer);
      isOver = true;
      socket?.destroy();
      return wasTaken;
    },
  };
}

/** Opens the pipe again, which gives an open file whose mode is ours alone. Fails without a reader. */
function connect(descriptor: number, onError: (error: Error) => void): Socket {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const fd = openSync(`/proc/self/fd/${descriptor}`, flags);
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.unref();
  socket.on("error", onError);
  return socket;
}
