"""A function in a process of its own, for libraries that end the process on some of their inputs."""
import multiprocessing

BEGUN = "begun"


def tell(sender, function, words):
    try:
        result = function(*words, when_it_runs=lambda: sender.send(BEGUN))
    except Exception as error:
        result = {"test": f"the test itself: {type(error).__name__}: {error}"}
    sender.send(result)


def apart(function, *words):
    """What function(*words) returns, {"test": text} if it raises. Where the process ends before that: None, or {"ended": text} if it
    had called `when_it_runs`."""
    receiver, sender = multiprocessing.Pipe(False)
    child = multiprocessing.Process(target=tell, args=(sender, function, words))
    child.start()
    sender.close()
    heard = []
    try:
        while True:
            heard.append(receiver.recv())
    except EOFError:
        child.join()
    if heard and heard[-1] != BEGUN:
        return heard[-1]
    return {"ended": f"the process ended, exit code {child.exitcode}"} if heard else None
