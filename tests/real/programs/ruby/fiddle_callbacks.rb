# SPDX-License-Identifier: Apache-2.0
# A callback of Ruby's that C calls: libffi writes code for it.
require 'fiddle'

class Ascending < Fiddle::Closure
  def call(a, b)
    a[0, 4].unpack1('l') <=> b[0, 4].unpack1('l')
  end
end

qsort = Fiddle::Function.new(Fiddle.dlopen(nil)['qsort'],
                             [Fiddle::TYPE_VOIDP, Fiddle::TYPE_SIZE_T, Fiddle::TYPE_SIZE_T, Fiddle::TYPE_VOIDP],
                             Fiddle::TYPE_VOID)
numbers = Fiddle::Pointer[[30, -7, 12, 5].pack('l*')]
qsort.call(numbers, 4, 4, Ascending.new(Fiddle::TYPE_INT, [Fiddle::TYPE_VOIDP, Fiddle::TYPE_VOIDP]))
p numbers[0, 16].unpack('l*')
