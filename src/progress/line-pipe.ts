// A pipe to a reader that may be slow or gone: lines wait for it, outdated ones give way, our work goes on.
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";

export interface PipeLine {
  readonly text: string;
  /** Repeats what the snapshot before it said, as far as it holds: of several in a row the last one waits. */
  readonly isSnapshot: boolean;
}

export interface LinePipe {
  write(line: PipeLine): void;
  /** Closes the pipe when the reader has taken what waits for it, or after that time; false then. */
  finish(timeoutMs: number): Promise<boolean>;
}

/**
 * Writes to the pipe behind `descriptor`, through a file of our own: a full pipe does not stop us, and who
 * shares the descriptor does not find it changed. `onBroken` is called once, when nobody reads any more.
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

/** A pipe opened anew is another open file, whose mode is ours alone. Without a reader that is an error. */
function connect(descriptor: number, onError: (error: Error) => void): Socket {
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  const fd = openSync(`/proc/self/fd/${descriptor}`, flags);
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.unref();
  socket.on("error", onError);
  return socket;
}
