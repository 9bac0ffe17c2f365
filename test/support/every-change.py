"""Every changing operation through the kernel, on a directory of a mount. Prints what is wrong, or nothing."""
import ctypes, errno, hashlib, mmap, os, socket, stat, struct, subprocess, sys

root = sys.argv[1]
os.chdir(root)
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
nobody = 65534


def same(what, got, wanted):
    if got != wanted:
        print(f'{what}: {got!r} and not {wanted!r}')


def refused(what, code, act):
    try:
        act()
        print(f'{what}: nothing was refused')
    except OSError as error:
        same(what, errno.errorcode[error.errno], code)


def call(function, *parameters):
    if function(*parameters) < 0:
        raise OSError(ctypes.get_errno(), 'failed')


def renameat2(old, new, flags):
    call(libc.renameat2, AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags)


def fallocate(fd, mode, offset, length):
    call(libc.fallocate, fd, mode, ctypes.c_long(offset), ctypes.c_long(length))


def put(name, data=b''):
    with open(name, 'wb') as file:
        file.write(data)


def get(name):
    with open(name, 'rb') as file:
        return file.read()


def as_nobody(script, *parameters):
    """Runs Python without any right; gives what it printed."""
    prefix = ['setpriv', '--reuid', str(nobody), '--regid', str(nobody), '--clear-groups']
    done = subprocess.run([*prefix, '/usr/bin/python3', '-c', script, *parameters], capture_output=True, text=True)
    return (done.stdout + done.stderr.strip()[-200:]).strip()


def names():
    os.mkdir('names')
    os.chdir('names')
    os.umask(0o027)
    os.mkdir('dir', 0o777)
    same('mkdir with umask', stat.S_IMODE(os.stat('dir').st_mode), 0o750)
    put('file', b'one')
    same('create with umask', stat.S_IMODE(os.stat('file').st_mode), 0o640)
    os.umask(0)
    refused('create O_EXCL', 'EEXIST', lambda: os.open('file', os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    refused('mkdir of a name', 'EEXIST', lambda: os.mkdir('file'))
    os.mknod('fifo', stat.S_IFIFO | 0o600)
    os.mknod('device', stat.S_IFCHR | 0o600, os.makedev(0x123, 0x45678))
    same('fifo', stat.S_IFMT(os.stat('fifo').st_mode), stat.S_IFIFO)
    same('device', os.stat('device').st_rdev, os.makedev(0x123, 0x45678))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind('socket')
    same('socket', stat.S_IFMT(os.stat('socket').st_mode), stat.S_IFSOCK)
    os.symlink('file', 'link')
    same('symlink', (os.readlink('link'), get('link')), ('file', b'one'))
    os.symlink(b'to-\xff', b'odd-\xfe')
    same('bytes of names', os.readlink(b'odd-\xfe'), b'to-\xff')
    os.link('file', 'hard')
    same('link', (os.stat('hard').st_nlink, os.stat('hard').st_ino), (2, os.stat('file').st_ino))
    os.mkdir('dir/below')
    same('links of a directory', os.stat('dir').st_nlink, 3)
    refused('rmdir', 'ENOTEMPTY', lambda: os.rmdir('dir'))
    os.rename('dir/below', 'moved')
    same('moved', (os.stat('dir').st_nlink, os.listdir('dir')), (2, []))
    os.rename('hard', 'file')  # the same inode: nothing happens
    same('rename to the same inode', sorted(os.listdir('.'))[-1:] and os.path.exists('hard'), True)
    put('other', b'two')
    refused('NOREPLACE', 'EEXIST', lambda: renameat2('other', 'file', 1))
    renameat2('other', 'file', 2)
    same('EXCHANGE', (get('file'), get('other')), (b'two', b'one'))
    renameat2('moved', 'file', 2)
    same('EXCHANGE with a directory', (os.path.isdir('file'), get('moved')), (True, b'two'))
    renameat2('moved', 'gone-from', 4)
    same('WHITEOUT', (os.lstat('moved').st_rdev, stat.S_ISCHR(os.lstat('moved').st_mode)), (0, True))
    os.rename('gone-from', 'other')
    same('replace', (get('other'), os.stat('hard').st_nlink), (b'two', 1))
    fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b'unnamed')
    same('O_TMPFILE', os.fstat(fd).st_nlink, 0)
    call(libc.linkat, AT_FDCWD, f'/proc/self/fd/{fd}'.encode(), AT_FDCWD, b'named', 0x400)  # AT_SYMLINK_FOLLOW
    same('linkat', (get('named'), os.fstat(fd).st_nlink), (b'unnamed', 1))
    os.unlink('named')
    os.write(fd, b', open')
    same('unlinked but open', (os.pread(fd, 100, 0), os.fstat(fd).st_nlink), (b'unnamed, open', 0))
    os.close(fd)
    refused('unlink', 'ENOENT', lambda: os.unlink('named'))
    os.chdir(root)
    subprocess.run(['rm', '-r', 'names'], check=True)
    same('rm -r', os.listdir('.'), [])


def data():
    pattern = hashlib.sha512(b'pattern').digest() * 100_000  # 6.4 MB
    put('big', pattern)
    same('size', os.stat('big').st_size, len(pattern))
    same('content', get('big') == pattern, True)
    fd = os.open('big', os.O_RDWR)
    os.pwrite(fd, b'x' * 10_001, 4_321_098)
    expected = pattern[:4_321_098] + b'x' * 10_001 + pattern[4_331_099:]
    same('written in the middle', get('big') == expected, True)
    os.ftruncate(fd, 5000)
    os.ftruncate(fd, 9000)
    same('shrunk and grown', get('big'), expected[:5000] + bytes(4000))
    os.truncate('big', 1)
    same('truncate', os.fstat(fd).st_size, 1)
    os.close(fd)
    put('big', b'short')
    same('O_TRUNC', get('big'), b'short')
    with open('big', 'ab', buffering=0) as one, open('big', 'ab', buffering=0) as other:
        for index in range(10):
            (one if index % 2 else other).write(b'%d' % index)
    same('O_APPEND', get('big'), b'short0123456789')
    fd = os.open('big', os.O_RDWR)
    fallocate(fd, 0, 0, 100_000)
    same('fallocate', os.fstat(fd).st_size, 100_000)
    fallocate(fd, 1, 0, 200_000)
    same('KEEP_SIZE', os.fstat(fd).st_size, 100_000)
    os.pwrite(fd, b'y' * 100_000, 0)
    fallocate(fd, 3, 4096, 4096)
    fallocate(fd, 16, 50_000, 10)
    same('PUNCH_HOLE, ZERO_RANGE', os.pread(fd, 100_000, 0), b'y' * 4096 + bytes(4096) + b'y' * 41_808 + bytes(10) + b'y' * 49_990)
    refused('COLLAPSE_RANGE', 'ENOTSUP', lambda: fallocate(fd, 8, 0, 4096))
    to = os.open('copy', os.O_RDWR | os.O_CREAT, 0o600)
    same('copy_file_range', os.copy_file_range(fd, to, 60_000, 4000, 5000), 60_000)
    same('copied', os.pread(to, 100_000, 0), bytes(5000) + os.pread(fd, 60_000, 4000))
    with mmap.mmap(fd, 8192) as memory:
        memory[0:5] = b'shared'[0:5]
        memory.flush()
        same('mmap', os.pread(fd, 6, 0), b'sharey')
        os.pwrite(fd, b'back', 100)
        same('written below a mapping', memory[100:104], b'back')
    os.close(to)
    os.close(fd)
    fd = os.open('direct', os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
    page = mmap.mmap(-1, 4096)
    page.write(b'd' * 4096)
    same('O_DIRECT', os.pwritev(fd, [page], 8192), 4096)
    same('read back', os.preadv(fd, [page], 8192), 4096)
    os.close(fd)
    same('a hole before it', get('direct'), bytes(8192) + b'd' * 4096)
    fd = os.open('big', os.O_WRONLY)
    os.lseek(fd, 3, os.SEEK_SET)
    os.write(fd, b'part of a page, write-only')
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    fd = os.open('.', os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    same('part of a page', get('big')[:30], b'shapart of a page, write-onlyy')
    for name in os.listdir('.'):
        os.unlink(name)


def attributes():
    put('file', b'1234')
    os.chmod('file', 0o1751)
    same('chmod', stat.S_IMODE(os.stat('file').st_mode), 0o1751)
    os.chown('file', 5, 6)
    os.chown('file', -1, 7)
    same('chown', (os.stat('file').st_uid, os.stat('file').st_gid), (5, 7))
    os.utime('file', ns=(-1_500_000_001, 4_000_000_000_123_456_789))
    same('utime', (os.stat('file').st_atime_ns, os.stat('file').st_mtime_ns), (-1_500_000_001, 4_000_000_000_123_456_789))
    os.utime('file')
    same('utime now', abs(os.stat('file').st_mtime - os.stat('file').st_ctime) < 5, True)
    os.symlink('file', 'link')
    os.utime('link', ns=(1, 2), follow_symlinks=False)
    same('utime of a link', os.lstat('link').st_mtime_ns, 2)
    os.mkdir('group', 0o777)
    os.chown('group', 0, 42)
    os.chmod('group', 0o2777)
    os.mkdir('group/below')
    put('group/file')
    same('set-group-id directory', (os.stat('group/file').st_gid, os.stat('group/below').st_mode & 0o2000), (42, 0o2000))
    for name, act in [('write', 'os.write(os.open(f,1),b"x")'), ('truncate', 'os.truncate(f,1)'), ('O_TRUNC', 'os.open(f,0o1001)'), ('fallocate', 'os.posix_fallocate(os.open(f,1),0,9)')]:
        put('program', b'1234')
        os.chmod('program', 0o6777)
        same(f'{name} without rights', as_nobody(f'import os,sys; f=sys.argv[1]; {act}', f'{root}/program'), '')
        same(f'{name} drops set-user-id', stat.S_IMODE(os.stat('program').st_mode), 0o777)
        os.chmod('program', 0o6777)
        with open('program', 'ab') as file:
            file.write(b'x')
        same('root keeps it', stat.S_IMODE(os.stat('program').st_mode), 0o6777)
    os.chown('program', 3, 3)
    same('chown drops it', stat.S_IMODE(os.stat('program').st_mode), 0o777)
    subprocess.run(['rm', '-r', *os.listdir('.')], check=True)


def extended():
    put('file')
    os.setxattr('file', 'user.a', b'1', os.XATTR_CREATE)
    refused('XATTR_CREATE', 'EEXIST', lambda: os.setxattr('file', 'user.a', b'2', os.XATTR_CREATE))
    refused('XATTR_REPLACE', 'ENODATA', lambda: os.setxattr('file', 'user.b', b'2', os.XATTR_REPLACE))
    os.setxattr('file', 'user.a', b'\x00' * 60_000, os.XATTR_REPLACE)
    os.setxattr('file', 'user.empty', b'')
    same('xattrs', (sorted(os.listxattr('file')), os.getxattr('file', 'user.a')), (['user.a', 'user.empty'], b'\x00' * 60_000))
    os.removexattr('file', 'user.a')
    refused('removed', 'ENODATA', lambda: os.getxattr('file', 'user.a'))
    os.chmod('file', 0o660)
    entry = lambda tag, permissions, who=0xFFFFFFFF: struct.pack('<HHI', tag, permissions, who)
    owner, user, group, mask, other = 1, 2, 4, 16, 32
    reads = 'import sys\ntry: open(sys.argv[1]); print("read")\nexcept OSError as e: print(e.strerror)'
    same('without a list', as_nobody(reads, f'{root}/file'), 'Permission denied')
    acl = struct.pack('<I', 2) + entry(owner, 6) + entry(user, 4, nobody) + entry(group, 6) + entry(mask, 6) + entry(other, 0)
    os.setxattr('file', 'system.posix_acl_access', acl)
    same('access list', (os.getxattr('file', 'system.posix_acl_access'), as_nobody(reads, f'{root}/file')), (acl, 'read'))
    os.removexattr('file', 'system.posix_acl_access')
    same('list removed', as_nobody(reads, f'{root}/file'), 'Permission denied')
    os.unlink('file')


os.umask(0o022)
for step in (names, data, attributes, extended):
    step()
    os.chdir(root)
same('nothing is left', os.listdir('.'), [])
