// The functions for Python; while they work the interpreter's lock is free.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <memory>

#include "block.h"
#include "check.h"
#include "logs.h"

namespace {

using namespace millworth;

constexpr char NAMES[] = "millworth.Names";

class View {  // of bytes that Python holds meanwhile
  public:
    View() = default;
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    ~View() {
        if (buffer.obj != nullptr) PyBuffer_Release(&buffer);
    }
    Bytes bytes() const {
        const u8 *p = static_cast<const u8 *>(buffer.buf);
        return {p, p + buffer.len};
    }
    Py_buffer buffer = {};
};

PyObject *fail(const std::exception &error) {
    if (dynamic_cast<const std::bad_alloc *>(&error) != nullptr) return PyErr_NoMemory();
    PyErr_SetString(PyExc_OverflowError, error.what());
    return nullptr;
}

// Calls `work` without the lock; returns whether it did, or else an error is set.
template <typename Work>
bool unlocked(Work work) {
    std::unique_ptr<std::exception> failure;
    Py_BEGIN_ALLOW_THREADS;
    try {
        work();
    } catch (const std::bad_alloc &error) {
        failure = std::make_unique<std::bad_alloc>(error);
    } catch (const TooLarge &error) {
        failure = std::make_unique<TooLarge>(error);
    }
    Py_END_ALLOW_THREADS;
    if (failure) fail(*failure);
    return !failure;
}

struct KnownNames {
    Names names;
    std::vector<std::string> texts;
};

void free_names(PyObject *capsule) {
    delete static_cast<KnownNames *>(PyCapsule_GetPointer(capsule, NAMES));
}

PyObject *make_names(PyObject *, PyObject *judged) {
    if (!PyDict_Check(judged)) return PyErr_Format(PyExc_TypeError, "a dict of names is wanted");
    try {
        auto known = std::make_unique<KnownNames>();
        known->texts.reserve(static_cast<std::size_t>(PyDict_Size(judged)));
        PyObject *name = nullptr, *value = nullptr;
        for (Py_ssize_t at = 0; PyDict_Next(judged, &at, &name, &value);) {
            char *text = nullptr;
            Py_ssize_t size = 0;
            if (PyBytes_AsStringAndSize(name, &text, &size) < 0) return nullptr;
            const long number = PyLong_AsLong(value);
            if (number < PLAIN || number > STOP)
                return PyErr_Occurred() ? nullptr
                                        : PyErr_Format(PyExc_ValueError, "%ld: no verdict", number);
            known->texts.emplace_back(text, static_cast<std::size_t>(size));
            known->names.dict.id(known->texts.back());
            known->names.judged.push_back(static_cast<Name>(number));
        }
        PyObject *capsule = PyCapsule_New(known.get(), NAMES, free_names);
        if (capsule != nullptr) known.release();
        return capsule;
    } catch (const std::bad_alloc &error) {
        return fail(error);
    }
}

// A list of tuples of places, and of what each is where `has_kind`.
PyObject *unknown_list(const Found &found, const u8 *begin) {
    PyObject *list = PyList_New(0);
    for (const Bytes &name : found.unknown) {
        PyObject *item = Py_BuildValue("nn", static_cast<Py_ssize_t>(name.p - begin),
                                       static_cast<Py_ssize_t>(name.e - begin));
        if (list == nullptr || item == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *doubtful_list(const Found &found) {
    if (found.doubtful_count > DOUBTFUL_MAX) return Py_NewRef(Py_None);
    PyObject *list = PyList_New(0);
    for (const Doubt &doubt : found.doubtful) {
        PyObject *item = Py_BuildValue("KKi", doubt.start, doubt.end, static_cast<int>(doubt.of));
        if (list == nullptr || item == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *check(PyObject *, PyObject *arguments) {
    View body;
    PyObject *capsule = nullptr;
    long long earliest_ns = 0, latest_ns = 0;
    if (!PyArg_ParseTuple(arguments, "y*OLL", &body.buffer, &capsule, &earliest_ns, &latest_ns))
        return nullptr;
    const auto *known = static_cast<KnownNames *>(PyCapsule_GetPointer(capsule, NAMES));
    if (known == nullptr) return nullptr;
    Found found;
    bool is_plain = false;
    if (!unlocked([&] {
            is_plain = Check(body.bytes(), known->names, earliest_ns, latest_ns, found).run();
        }))
        return nullptr;
    if (!is_plain) Py_RETURN_NONE;
    return Py_BuildValue("KKNN", found.spans, found.first_trace,
                         unknown_list(found, body.bytes().p), doubtful_list(found));
}

// What `write` makes, of which it is known how large it is at the most.
template <typename Write>
PyObject *written(std::size_t bytes_max, Write write) {
    if (bytes_max > BLOCK_BYTES_MAX) return fail(TooLarge());
    PyObject *bytes = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(bytes_max));
    if (bytes == nullptr) return nullptr;
    Buffer out(PyBytes_AS_STRING(bytes), bytes_max);
    use_large_pages(out.data(), bytes_max);
    if (!unlocked([&] { write(out); })) {
        Py_DECREF(bytes);
        return nullptr;
    }
    _PyBytes_Resize(&bytes, static_cast<Py_ssize_t>(out.size()));  // null where it fails
    return bytes;
}

// The block of some rows, written where Python keeps it.
template <typename Rows>
PyObject *block_of(const Rows &rows) {
    return written(rows.bytes_max(), [&rows](Buffer &out) { rows.write(out); });
}

bool as_text(PyObject *object, Text &text) {
    char *p = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(object, &p, &size) < 0) return false;
    text = {p, static_cast<std::size_t>(size)};
    return true;
}

// Texts stay those of the tuples, which the caller of `block` holds.
bool wanted_of(PyObject *keys, PyObject *rules, PyObject *own, Wanted &wanted) {
    PyObject *names[4] = {};
    if (!PyArg_ParseTuple(own, "SSSS", &names[0], &names[1], &names[2], &names[3]) ||
        !as_text(names[0], wanted.own.latency_class) || !as_text(names[1], wanted.own.stage) ||
        !as_text(names[2], wanted.own.blocking) || !as_text(names[3], wanted.own.id))
        return false;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(keys); ++at)
        if (!as_text(PyTuple_GET_ITEM(keys, at), wanted.keys.emplace_back())) return false;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(rules); ++at) {
        PyObject *service = nullptr, *name = nullptr, *kind = nullptr;
        Rule &rule = wanted.rules.emplace_back();
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(rules, at), "SSS", &service, &name, &kind) ||
            !as_text(service, rule.service) || !as_text(name, rule.name) ||
            !as_text(kind, rule.kind))
            return false;
    }
    return true;
}

std::vector<Place> places_of(const View &view) {
    std::vector<Place> places(view.bytes().size() / sizeof(Place));
    if (!places.empty()) std::memcpy(places.data(), view.bytes().p, view.bytes().size());
    return places;
}

bool are_places(const View &view) {
    if (view.bytes().size() % sizeof(Place) == 0) return true;
    PyErr_SetString(PyExc_ValueError, "a place is three numbers of 64 bits");
    return false;
}

PyObject *number_list(const std::vector<u64> &numbers) {
    PyObject *list = PyList_New(0);
    for (const u64 number : numbers) {
        PyObject *item = PyLong_FromUnsignedLongLong(number);
        if (list == nullptr || item == nullptr || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *block(PyObject *, PyObject *arguments) {
    View content, places;
    PyObject *keys = nullptr, *rules = nullptr, *own = nullptr;
    if (!PyArg_ParseTuple(arguments, "y*y*O!O!O!", &content.buffer, &places.buffer, &PyTuple_Type,
                          &keys, &PyTuple_Type, &rules, &PyTuple_Type, &own))
        return nullptr;
    if (!are_places(places)) return nullptr;
    try {
        Wanted wanted;
        if (!wanted_of(keys, rules, own, wanted)) return nullptr;
        Blocks blocks(wanted);
        if (!unlocked([&] { blocks.read(content.bytes(), places_of(places)); })) return nullptr;
        if (!blocks.unreadable.empty())
            return Py_BuildValue("yKyyyKN", "", 0ULL, "", "", "", 0ULL,
                                 number_list(blocks.unreadable));
        PyObject *skeletons = written(blocks.spans.skeleton_bytes_max(), [&](Buffer &out) {
            blocks.spans.write_skeletons(out);
        });
        return Py_BuildValue("NKNNNKN", block_of(blocks.spans), blocks.spans.count,
                             block_of(blocks.traces), skeletons, block_of(blocks.decisions),
                             blocks.decisions.count, number_list(blocks.unreadable));
    } catch (const std::bad_alloc &error) {
        return fail(error);
    }
}

PyObject *log_block(PyObject *, PyObject *arguments) {
    View content, places;
    if (!PyArg_ParseTuple(arguments, "y*y*", &content.buffer, &places.buffer) ||
        !are_places(places))
        return nullptr;
    try {
        LogBlock block;
        if (!unlocked([&] { block.read(content.bytes(), places_of(places)); })) return nullptr;
        if (!block.unreadable.empty())
            return Py_BuildValue("yKN", "", 0ULL, number_list(block.unreadable));
        return Py_BuildValue("NKN", block_of(block.rows), block.rows.count,
                             number_list(block.unreadable));
    } catch (const std::bad_alloc &error) {
        return fail(error);
    }
}

PyMethodDef METHODS[] = {
    {"names", make_names, METH_O, "names(judged: dict[bytes, int]) -> names, for `check`"},
    {"check", check, METH_VARARGS, "check(body, names, earliest_ns, latest_ns) -> tuple | None"},
    {"block", block, METH_VARARGS, "block(content, places, keys, rules, own) -> tuple"},
    {"log_block", log_block, METH_VARARGS, "log_block(content, places) -> tuple"},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_native", nullptr, -1, METHODS, {}, {}, {}, {}};

}  // namespace

PyMODINIT_FUNC PyInit__native() {
    // Python's own seed of this process.
    PyObject *text = PyUnicode_FromString("millworth.spans");
    if (text == nullptr) return nullptr;
    Dict::seed ^= static_cast<u64>(PyObject_Hash(text));
    Py_DECREF(text);
    return PyModule_Create(&MODULE);
}
