/**
 * The methods of a handle that most operations call, through the quick calls of the addon. Those find the handle by its
 * number, and cost less than half of a method. Each has a function of its own, which V8 compiles for its one target.
 */
import type * as Binding from "../../binding.js";
import { loadBinding } from "./load";
import { errorOf, type Failure } from "./realm";

/** The quick call for a method of a handle. */
type Quick<Method> = Method extends (...given: infer Given) => infer Result
  ? (number: number, ...given: Given) => Result
  : never;
type QuickCalls = {
  [Name in keyof Binding.ObjectHandle]: Quick<Binding.ObjectHandle[Name]>;
};

const quick = loadBinding().quickCalls() as unknown as QuickCalls;

export class QuickHandle implements Partial<Binding.ObjectHandle> {
  /** Names the handle for the addon. */
  declare readonly number: number;

  get(key: string, bytes: Uint8Array, scope: number): number {
    try {
      return quick.get(this.number, key, bytes, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.get);
    }
  }

  getMany(bytes: Uint8Array, length: number, scope: number): number {
    try {
      return quick.getMany(this.number, bytes, length, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.getMany);
    }
  }

  list(flags: number, limit: number, bytes: Uint8Array, length: number, scope: number): number {
    try {
      return quick.list(this.number, flags, limit, bytes, length, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.list);
    }
  }

  put(key: string, bytes: Uint8Array, length: number, scope: number): number {
    try {
      return quick.put(this.number, key, bytes, length, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.put);
    }
  }

  putMany(count: number, bytes: Uint8Array, length: number, scope: number): number {
    try {
      return quick.putMany(this.number, count, bytes, length, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.putMany);
    }
  }

  delete(key: string, scope: number): number {
    try {
      return quick.delete(this.number, key, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.delete);
    }
  }

  begin(scope: number): number {
    try {
      return quick.begin(this.number, scope);
    } catch (failure) {
      throw errorOf(failure as Failure, this.begin);
    }
  }

  commit(transaction: number, discard: boolean): number {
    try {
      return quick.commit(this.number, transaction, discard);
    } catch (failure) {
      throw errorOf(failure as Failure, this.commit);
    }
  }

  end(transaction: number): void {
    try {
      quick.end(this.number, transaction);
    } catch (failure) {
      throw errorOf(failure as Failure, this.end);
    }
  }

  beginTurn(): void {
    try {
      quick.beginTurn(this.number);
    } catch (failure) {
      throw errorOf(failure as Failure, this.beginTurn);
    }
  }

  endTurn(): void {
    try {
      quick.endTurn(this.number);
    } catch (failure) {
      throw errorOf(failure as Failure, this.endTurn);
    }
  }

  seal(): void {
    try {
      quick.seal(this.number);
    } catch (failure) {
      throw errorOf(failure as Failure, this.seal);
    }
  }

  pendingTicket(): number {
    try {
      return quick.pendingTicket(this.number);
    } catch (failure) {
      throw errorOf(failure as Failure, this.pendingTicket);
    }
  }

  sqlExec(query: string, bytes: Uint8Array, length: number, ended: number): number {
    try {
      return quick.sqlExec(this.number, query, bytes, length, ended);
    } catch (failure) {
      throw errorOf(failure as Failure, this.sqlExec);
    }
  }

  sqlNext(cursor: number, rows: number, bytes: Uint8Array): number {
    try {
      return quick.sqlNext(this.number, cursor, rows, bytes);
    } catch (failure) {
      throw errorOf(failure as Failure, this.sqlNext);
    }
  }
}

/** Gives a handle its number. */
export function numbered(handle: Binding.ObjectHandle): Binding.ObjectHandle {
  return Object.assign(handle, { number: handle.quickNumber() });
}
