# SPDX-License-Identifier: Apache-2.0
import doctest
import sys
import tempfile
import unittest
from unittest import mock


def double(x):
    """Doubles.

    >>> double(2)
    4
    """
    return 2 * x


class T(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def test_equal(self):
        self.assertEqual(double(3), 6)

    def test_mock(self):
        m = mock.Mock(return_value=3)
        self.assertEqual(m(1), 3)
        m.assert_called_once_with(1)

    def test_raises(self):
        with self.assertRaisesRegex(ValueError, "invalid"):
            int("x")

    @unittest.skip("shown as skipped")
    def test_skipped(self):
        self.fail()

    @unittest.expectedFailure
    def test_expected(self):
        self.assertTrue(False)

    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertLess(i, 3)


result = unittest.TextTestRunner(stream=open("log", "w"), verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))
print(result.testsRun, len(result.failures), len(result.skipped), len(result.expectedFailures), doctest.testmod())
sys.exit(not result.wasSuccessful())
